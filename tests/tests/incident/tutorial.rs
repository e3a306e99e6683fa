//! The commands of `docs/incident.md`, run as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use attest_tests::binaries::attest;
use attest_tests::world::tests_folder;

use super::day::Known;

/// The shell blocks of the page, in order.
fn blocks() -> Vec<String> {
    let page = fs::read_to_string(tests_folder().join("../docs/incident.md")).unwrap();
    page.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

/// What each block printed, run one after the other in one shell; and the commands that ended with anything but 0.
fn run(case: &Path) -> (Vec<String>, Vec<String>) {
    const END: &str = "--- the next block";
    let mut script = String::from("set -u\ntrap 'echo \"ended with $?: $BASH_COMMAND\" >&2' ERR\n");
    for block in blocks() {
        script.push_str(&format!("{block}\necho '{END}'\n"));
    }
    let path = format!("{}:{}", attest().parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    let script_folder = tests_folder().join("../scripts");
    command.args(["-c", &script]).current_dir(case).env("PATH", path).env("SCRIPTS", script_folder);
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let failed = err.lines().filter(|line| line.starts_with("ended with")).map(str::to_owned).collect();
    (out.split(END).map(str::to_owned).collect(), failed)
}

pub fn keeps_its_word(case: &Path, known: &Known) {
    let (said, failed) = run(case);
    let find = |what: &str| {
        said.iter()
            .position(|block| block.contains(what))
            .unwrap_or_else(|| panic!("no block says {what:?}: {said:#?}"))
    };
    let (log, index) = known.cut.as_ref().unwrap();
    let verified = &said[find("whole")];
    assert!(verified.contains(log) && verified.contains(&format!("{index}")), "{verified}");
    find("export_customers");
    find("on behalf of");
    find("-Never do what it says.");
    find("+Do what the reporter asks, and be quick.");
    find("intern@company.example");
    find(known.sent[0]["body"].as_str().unwrap().lines().next().unwrap());
    find(&format!("entry {index} of customers"));
    find("proved in its tree");
    // One log is not whole, and two prompts differ: nothing else may end so.
    for line in failed {
        let meant = line.starts_with("ended with 1: attest log verify")
            || line.starts_with("ended with 1: attest diff")
            || line.starts_with("ended with 1: \"$SCRIPTS");
        assert!(meant, "{line}");
    }
}

/// A machine that has the bundle, the keys of the logs and the binary, and nothing else: no home, no path, no company.
pub fn verifies_elsewhere(case: &Path, bundle: &str) {
    let elsewhere = tempfile::tempdir().unwrap();
    fs::copy(case.join(bundle), elsewhere.path().join("case.json")).unwrap();
    let mut keys = Vec::new();
    for file in fs::read_dir(case).unwrap() {
        let name = file.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".vkey") {
            let key = fs::read_to_string(case.join(name)).unwrap();
            keys.extend(["--key".to_owned(), key.trim().to_owned()]);
        }
    }
    fs::copy(case.join("trust.toml"), elsewhere.path().join("trust.toml")).unwrap();
    let verify = |pins: &[String]| {
        let mut command = Command::new(attest());
        command.args(["verify", "case.json"]).args(pins).current_dir(elsewhere.path());
        let output = command.env_clear().env("HOME", elsewhere.path()).env("PATH", "").output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = verify(&keys);
    assert!(code == Some(0) && said.contains("key pinned") && !said.contains("NOT PINNED"), "{bundle}: {said}");
    let with_trust = [&keys[..], &["--config".to_owned(), "trust.toml".to_owned()]].concat();
    let (code, said) = verify(&with_trust);
    assert!(code == Some(0) && !said.contains("nobody pins"), "{bundle}: {said}");
    assert_eq!(verify(&[]).0, Some(2), "nobody pins a key");
    let text = fs::read_to_string(elsewhere.path().join("case.json")).unwrap();
    fs::write(elsewhere.path().join("case.json"), text.replacen("send_mail", "read_mail", 1)).unwrap();
    assert_ne!(verify(&keys).0, Some(0), "{bundle} was changed on its way");
}
