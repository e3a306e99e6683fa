//! Prompt, settings, hosted models and the signer itself.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper of tests fails its test")]

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_core::json::JsonErrorKind;
use attest_measure::{ConfigError, Kind, MeasureError, ModelRef, config_from, own_executable, prompt, signer};

fn file(name: &str, content: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    (dir, path)
}

/// The canonical text of settings, with `A` set, `EMPTY` empty and nothing else in the environment.
fn canonical(name: &str, content: &str, env: &[&str]) -> Result<String, ConfigError> {
    let (_dir, path) = file(name, content);
    let variable = |name: &str| match name {
        "A" => Some("value".into()),
        "EMPTY" => Some(OsString::new()),
        "BAD" => Some(OsString::from_vec(vec![0xff])),
        _ => None,
    };
    match config_from(&path, env, variable) {
        Ok(measured) => {
            assert_eq!(measured.value.digest(), Digest::of(measured.value.canonical()));
            Ok(String::from_utf8(measured.value.canonical().to_vec()).unwrap())
        }
        Err(MeasureError::Config { error, .. }) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_byte_of_a_prompt_counts() {
    let texts = ["You are helpful.", "You are helpful.\n", "You are helpful.\r\n", "\u{feff}You are helpful.", ""];
    for text in texts {
        let (_dir, path) = file("prompt.md", text);
        let measured = prompt(&path).unwrap().value;
        assert_eq!((measured.text.as_str(), measured.digest), (text, Digest::of(text)));
    }
}

#[test]
fn a_prompt_that_is_not_utf8_or_not_a_file_is_refused() {
    let (dir, path) = file("prompt.md", b"caf\xe9");
    assert!(matches!(prompt(&path), Err(MeasureError::NotUtf8 { offset: 3, .. })));
    assert!(matches!(prompt(dir.path()), Err(MeasureError::NotAFile { kind: Kind::Folder, .. })));
    assert!(matches!(prompt(&dir.path().join("gone")), Err(MeasureError::Missing { .. })));
    let (_dir, path) = file("prompt.md", "");
    fs::File::options().write(true).open(&path).unwrap().set_len((16 << 20) + 1).unwrap();
    assert!(matches!(prompt(&path), Err(MeasureError::TooLarge { .. })));
}

#[test]
fn toml_and_json_of_the_same_settings_are_the_same() {
    let toml = "# a comment\ntemperature = 0.50\n[tools]\nallow = ['a', \"b\"]\nmax = 1_000\ndeep.er = true\n";
    let json = r#"{ "tools": {"max": 1e3, "deep": {"er": true}, "allow": ["a", "\u0062"]}, "temperature": 5e-1 }"#;
    let wanted = r#"{"temperature":0.5,"tools":{"allow":["a","b"],"deep":{"er":true},"max":1000}}"#;
    assert_eq!(canonical("a.toml", toml, &[]).unwrap(), wanted);
    assert_eq!(canonical("a.json", json, &[]).unwrap(), wanted);
}

#[test]
fn dates_become_strings() {
    let text = canonical("a.toml", "a = 2026-11-20T15:00:00Z\nb = 2026-11-20\nc = 07:32:00", &[]).unwrap();
    assert_eq!(text, r#"{"a":"2026-11-20T15:00:00Z","b":"2026-11-20","c":"07:32:00"}"#);
}

#[test]
fn numbers_without_an_exact_form_are_refused_where_they_stand() {
    for (toml, key) in [
        ("a = nan", "a"),
        ("[a]\nb = inf", "a.b"),
        ("a = [1, -inf]", "a[1]"),
        ("a = 9007199254740992", "a"),
        ("a = -9007199254740992", "a"),
        ("a = -9223372036854775808", "a"),
        ("a = 1e20", "a"),
        ("a = 1e999", "a"),
        ("a = 0x20_0000_0000_0000", "a"),
        ("a = 99999999999999999999", "a"),
    ] {
        assert_eq!(canonical("a.toml", toml, &[]).unwrap_err(), ConfigError::Number { key: key.into() }, "{toml}");
    }
    for json in [r#"{"a":9007199254740992}"#, r#"{"a":1e20}"#, r#"{"a":1e999}"#] {
        let ConfigError::Json(error) = canonical("a.json", json, &[]).unwrap_err() else { panic!("{json}") };
        assert_eq!(error.kind, JsonErrorKind::NumberRange);
    }
    let largest = "a = 0x1f_ffff_ffff_ffff\nb = -9007199254740991\nc = 1e300\nd = -0.0\ne = 1e21";
    let text = canonical("a.toml", largest, &[]).unwrap();
    assert_eq!(text, r#"{"a":9007199254740991,"b":-9007199254740991,"c":1e+300,"d":0,"e":1e+21}"#);
}

#[test]
fn settings_that_two_readers_could_read_differently_are_refused() {
    let json = |text: &str| match canonical("a.json", text, &[]).unwrap_err() {
        ConfigError::Json(error) => error.kind,
        other => panic!("{other}"),
    };
    assert_eq!(json(r#"{"a":1,"\u0061":2}"#), JsonErrorKind::DuplicateMember);
    assert_eq!(json("{} // comment"), JsonErrorKind::TrailingBytes);
    assert_eq!(json("\u{feff}{}"), JsonErrorKind::ByteOrderMark);
    assert_eq!(canonical("a.json", "[]", &[]).unwrap_err(), ConfigError::NotAnObject);
    assert!(matches!(canonical("a.toml", "a = 1\na = 2", &[]).unwrap_err(), ConfigError::Toml { offset: 6 }));
    assert_eq!(canonical("a.yaml", "a: 1", &[]).unwrap_err(), ConfigError::Extension);
    let deep = format!("a = {}1{}", "[".repeat(70), "]".repeat(70));
    assert!(canonical("a.toml", &deep, &[]).is_err());
}

#[test]
fn members_that_serde_would_take_for_its_own_stay_objects() {
    let text = r#"{"path":{"$serde_json::private::RawValue":"\"/etc/shadow\""}}"#;
    assert_eq!(canonical("a.json", text, &[]).unwrap(), text);
    // Two documents, and so two digests; `toml::Table` makes one of them.
    let toml = "[date]\n\"$__toml_private_datetime\" = \"2026-11-20\"\n";
    let as_toml = canonical("a.toml", toml, &[]);
    assert_eq!(as_toml.unwrap(), r#"{"date":{"$__toml_private_datetime":"2026-11-20"}}"#);
}

#[test]
fn named_variables_stand_under_env_and_unset_is_not_empty() {
    let env = ["A", "UNSET", "EMPTY", "A"];
    let text = canonical("a.toml", "z = 1", &env).unwrap();
    assert_eq!(text, r#"{"env":{"A":"value","EMPTY":"","UNSET":null},"z":1}"#);
    let beside = canonical("a.json", r#"{"env":{"OWN":"x"},"a":{"env":1}}"#, &["A"]).unwrap();
    assert_eq!(beside, r#"{"a":{"env":1},"env":{"A":"value","OWN":"x"}}"#);
    assert_eq!(canonical("a.json", "{}", &["A"]).unwrap(), r#"{"env":{"A":"value"}}"#);
}

#[test]
fn variables_that_meet_the_files_own_or_are_not_text_are_refused() {
    let env = |name: &str| ConfigError::Env { name: name.into() };
    assert_eq!(canonical("a.json", r#"{"env":{"A":"value"}}"#, &["A"]).unwrap_err(), env("A"));
    assert_eq!(canonical("a.json", r#"{"env":[]}"#, &["A"]).unwrap_err(), env("env"));
    assert_eq!(canonical("a.json", "{}", &["BAD"]).unwrap_err(), ConfigError::EnvNotUtf8 { name: "BAD".into() });
    // Without variables the file's own `env` is a member like any other.
    assert_eq!(canonical("a.json", r#"{"env":[]}"#, &[]).unwrap(), r#"{"env":[]}"#);
}

#[test]
fn a_debug_print_shows_no_setting_and_no_prompt() {
    let (_dir, path) = file("prompt.md", "hunter2");
    assert!(!format!("{:?}", prompt(&path).unwrap()).contains("hunter2"));
    let (_dir, path) = file("a.json", r#"{"key":"hunter2"}"#);
    let measured = config_from(&path, &[], |_| None).unwrap();
    assert!(!format!("{measured:?}").contains("hunter2"));
}

#[test]
fn a_hosted_model_is_its_three_names() {
    let model = ModelRef::new("anthropic", "claude", Some("2026-05-01")).unwrap();
    let text = br#"{"model":"claude","provider":"anthropic","snapshot":"2026-05-01"}"#;
    assert_eq!(model.canonical(), text);
    assert_eq!(model.digest(), Digest::of(text));
    let unknown = ModelRef::new("anthropic", "claude", None).unwrap();
    assert_eq!(unknown.canonical(), br#"{"model":"claude","provider":"anthropic","snapshot":null}"#);
    assert!(matches!(ModelRef::new("", "claude", None), Err(MeasureError::EmptyModelRef("provider"))));
    assert!(matches!(ModelRef::new("anthropic", "", None), Err(MeasureError::EmptyModelRef("name"))));
    assert!(matches!(ModelRef::new("anthropic", "claude", Some("")), Err(MeasureError::EmptyModelRef("snapshot"))));
}

#[test]
fn the_signer_is_its_executable_and_its_policy() {
    let (dir, policy) = file("policy.toml", "x = 1");
    let executable = dir.path().join("attest");
    fs::write(&executable, b"\x7fELF").unwrap();
    let both = signer(&executable, std::slice::from_ref(&policy)).unwrap().value;
    let text = format!(r#"{{"executable":"{}","policy":"{}"}}"#, Digest::of(b"\x7fELF"), Digest::of("x = 1"));
    assert_eq!(both.digest, Digest::of(text));
    let several = signer(&executable, &[policy.clone(), executable.clone()]).unwrap().value;
    let list = format!(r#"["{}","{}"]"#, Digest::of("x = 1"), Digest::of(b"\x7fELF"));
    assert_eq!(several.policy, Some(Digest::of(list)), "of several files the digest is over theirs");
    let alone = signer(&executable, &[]).unwrap().value;
    let text = format!(r#"{{"executable":"{}","policy":null}}"#, Digest::of(b"\x7fELF"));
    assert_eq!((alone.digest, alone.policy), (Digest::of(text), None));
    assert!(matches!(signer(dir.path(), &[]), Err(MeasureError::NotAFile { kind: Kind::Folder, .. })));
    assert!(matches!(signer(&executable, &["/gone".into()]), Err(MeasureError::Missing { .. })));
}

#[test]
fn the_running_executable_can_be_measured() {
    let measured = signer(&own_executable().unwrap(), &[]).unwrap().value;
    let bytes = fs::read(std::env::current_exe().unwrap()).unwrap();
    assert_eq!(measured.executable, Digest::of(bytes));
}
