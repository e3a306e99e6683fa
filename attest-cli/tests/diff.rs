//! `attest measure --manifest-out` and `attest diff` as a user runs them.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// A folder with an agent that has weights, a prompt and settings.
struct Agent(tempfile::TempDir);

const BASE: [(&str, &[u8]); 3] = [("blk.0.weight", b"ab"), ("blk.0.lora_A", b"cd"), ("blk.1.lora_A", b"ef")];

impl Agent {
    fn new() -> Self {
        let agent = Self(tempfile::tempdir().unwrap());
        agent.write("model/model.safetensors", &safetensors(&BASE));
        agent.write("model/tokenizer.json", b"{}");
        agent.write("prompt.txt", b"be careful\nand kind\n");
        agent.write("settings.toml", b"temperature = 0.5\n[key]\ntoken = \"s3cret\"\n");
        agent.ok(
            "init --audience files --weights model --prompt prompt.txt --settings settings.toml --tool read -- cat",
        );
        agent
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Exit code, standard output and standard error.
    fn attest(&self, args: &str) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_attest"));
        command.args(args.split(' ')).current_dir(self.0.path()).env_remove("ATTEST_AGENT_CONFIG");
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    fn ok(&self, args: &str) -> String {
        let (code, text, error) = self.attest(args);
        assert_eq!(code, 0, "{args}: {text}{error}");
        text
    }

    fn measured(&self, name: &str) {
        self.ok(&format!("measure --tensors --manifest-out {name}"));
    }
}

/// Tensors of bytes, one after the other.
fn safetensors(tensors: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut lines, mut data) = (Vec::new(), Vec::new());
    for (name, bytes) in tensors {
        let end = data.len() + bytes.len();
        lines.push(format!(
            r#"{}:{{"dtype":"U8","shape":[{}],"data_offsets":[{},{end}]}}"#,
            Value::from(*name),
            bytes.len(),
            data.len()
        ));
        data.extend_from_slice(bytes);
    }
    let header = format!("{{{}}}", lines.join(","));
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

#[test]
fn two_manifests_of_one_state_are_the_same_and_the_exit_code_says_so() {
    let agent = Agent::new();
    agent.measured("a.json");
    agent.measured("b.json");
    assert_eq!(fs::read(agent.path("a.json")).unwrap(), fs::read(agent.path("b.json")).unwrap());
    assert_eq!(fs::metadata(agent.path("a.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let said = agent.ok("diff a.json b.json");
    assert!(said.contains("model-tensors  same       on-disk\n") && said.ends_with("the two are the same\n"), "{said}");
}

#[test]
fn tensors_and_files_that_differ_are_told_apart() {
    let agent = Agent::new();
    agent.measured("a.json");
    let tuned = [BASE[0], ("blk.0.lora_A", &b"CD"[..]), ("blk.1.lora_A", b"EF")];
    agent.write("model/model.safetensors", &safetensors(&tuned));
    agent.measured("b.json");
    let (code, said, _) = agent.attest("diff a.json b.json");
    assert_eq!(code, 1);
    assert!(said.contains("model-weights  CHANGED"), "{said}");
    assert!(said.contains("model-weights: weights changed, tokenizer not"), "{said}");
    assert!(said.contains("tensors: 2 of 3 tensors differ, all `lora`"), "{said}");
    let (code, json, _) = agent.attest("diff a.json b.json --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(code, 1);
    assert_eq!(json["tensors"]["differ"][0]["what"], "changed");
    assert_eq!(json["differs"], true);
    agent.write("model/model.safetensors", &safetensors(&BASE));
    agent.write("model/tokenizer.json", b"{\"a\":1}");
    agent.measured("c.json");
    let (code, said, _) = agent.attest("diff a.json c.json");
    assert_eq!(code, 1);
    assert!(said.contains("tokenizer changed, weights not"), "{said}");
}

#[test]
fn an_attestation_is_compared_by_its_digests_with_another_and_with_a_manifest() {
    let agent = Agent::new();
    agent.write("before.jwt", agent.ok("issue").as_bytes());
    agent.ok("measure --manifest-out now.json");
    assert_eq!(agent.attest("diff before.jwt now.json").0, 0);
    agent.write("prompt.txt", b"be careless\n");
    agent.write("after.jwt", agent.ok("issue").as_bytes());
    for other in ["before.jwt", "now.json"] {
        let (code, said, _) = agent.attest(&format!("diff {other} after.jwt"));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("system-prompt  CHANGED"), "{said}");
        assert!(said.contains("model-weights  same"), "{said}");
    }
    // Tensors are measured in one of them alone.
    agent.measured("tensors.json");
    let (code, said, _) = agent.attest("diff after.jwt tensors.json");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("model-tensors  only in B  on-disk"), "{said}");
}

#[test]
fn prompts_are_shown_line_by_line_and_only_if_they_are_those_that_were_measured() {
    let agent = Agent::new();
    agent.measured("a.json");
    agent.write("new.txt", b"be careful\nand \x1b[2Jcruel\xe2\x80\xae\n");
    fs::copy(agent.path("prompt.txt"), agent.path("old.txt")).unwrap();
    fs::copy(agent.path("new.txt"), agent.path("prompt.txt")).unwrap();
    agent.measured("b.json");
    let (code, said, _) = agent.attest("diff a.json b.json --prompt old.txt new.txt");
    assert_eq!(code, 1);
    assert!(said.contains("\n-and kind\n+and \\u{1b}[2Jcruel\\u{202e}\n"), "{said}");
    let (code, said, error) = agent.attest("diff a.json b.json --prompt new.txt new.txt");
    assert_eq!((code, said.as_str()), (2, ""));
    assert!(error.contains("new.txt is not the system prompt that a.json was measured with"), "{error}");
}

#[test]
fn settings_are_compared_member_by_member_and_no_value_is_shown() {
    let agent = Agent::new();
    agent.measured("a.json");
    agent.write("new.toml", b"temperature = 0.7\n[key]\ntoken = \"other-s3cret\"\n");
    fs::copy(agent.path("settings.toml"), agent.path("old.toml")).unwrap();
    fs::copy(agent.path("new.toml"), agent.path("settings.toml")).unwrap();
    agent.measured("b.json");
    let (code, said, _) = agent.attest("diff a.json b.json --settings old.toml new.toml");
    assert_eq!(code, 1);
    assert!(said.contains("settings: 2 places differ\n  changed   /key/token\n  changed   /temperature\n"), "{said}");
    assert!(!said.contains("s3cret") && !said.contains("not what was measured"), "{said}");
    let (_, said, _) = agent.attest("diff a.json b.json --settings old.toml old.toml");
    assert!(said.contains("the file given for B alone is not what was measured"), "{said}");
}

#[test]
fn a_name_from_a_strangers_manifest_cannot_move_the_cursor() {
    let agent = Agent::new();
    agent.measured("a.json");
    agent.write("model/model.safetensors", &safetensors(&[("\u{1b}[31mred\n\u{202e}", b"ab")]));
    agent.measured("b.json");
    let (code, said, _) = agent.attest("diff a.json b.json");
    assert_eq!(code, 1);
    assert!(said.contains("\\u{1b}[31mred\\n\\u{202e}"), "{said}");
    assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said}");
}

#[test]
fn errors_end_with_2_and_say_what_to_do() {
    let agent = Agent::new();
    agent.measured("a.json");
    let text = fs::read_to_string(agent.path("a.json")).unwrap();
    agent.write("changed.json", text.replacen("tokenizer.json", "tokenizer.jsoo", 1).as_bytes());
    agent.write("twice.json", text.replacen('{', "{\"format\":\"attest-manifest/1\",", 1).as_bytes());
    agent.write("noise.json", b"hello");
    for (file, word) in [
        ("changed.json", "changed by hand"),
        ("twice.json", "not strict JSON"),
        ("noise.json", "neither a manifest nor an attestation"),
        ("gone.json", "cannot read gone.json"),
        (".", "cannot read ."),
    ] {
        let (code, said, error) = agent.attest(&format!("diff a.json {file}"));
        assert_eq!((code, said.as_str()), (2, ""), "{file}");
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn tensors_need_weights_and_a_file_that_is_not_what_its_name_says_is_refused() {
    let agent = Agent::new();
    agent.write("model/model.safetensors", b"\0\0\0\0\0\x01\0\0{}");
    agent.ok("measure");
    let (code, _, error) = agent.attest("measure --tensors --manifest-out a.json");
    assert_eq!(code, 1);
    assert!(error.contains("model.safetensors") && error.contains("1099511627776"), "{error}");
    assert!(!agent.path("a.json").exists());
    let config = fs::read_to_string(agent.path("agent.toml")).unwrap();
    let config: String = config.lines().filter(|line| !line.starts_with("weights")).map(|l| format!("{l}\n")).collect();
    agent.write("agent.toml", config.as_bytes());
    let (code, _, error) = agent.attest("measure --tensors");
    assert_eq!(code, 1);
    assert!(error.contains("name weights"), "{error}");
    agent.write("agent.toml", config.replace("[measure]", "[measure]\ntensors = true").as_bytes());
    assert_eq!(agent.attest("measure").0, 1);
}

#[test]
fn tensors_are_attested_where_the_configuration_says_so() {
    let agent = Agent::new();
    assert!(!agent.ok("measure").contains("model-tensors"));
    let config = fs::read_to_string(agent.path("agent.toml")).unwrap();
    agent.write("agent.toml", config.replace("[measure]", "[measure]\ntensors = true").as_bytes());
    assert!(agent.ok("measure").contains("model-tensors"));
    agent.write("token.jwt", agent.ok("issue").as_bytes());
    agent.measured("now.json");
    assert_eq!(agent.attest("diff token.jwt now.json").0, 0);
}
