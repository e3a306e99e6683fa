//! A program that loads its model itself, and has a signer in it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use agent_signer::Config;
use agent_signer::attesting::issue;
use agent_signer::state::State;
use attest_core::b64;
use attest_keys::{Form, SecretKey};
use attest_measure::{FileSet, Loading};

#[test]
fn what_a_program_loaded_is_attested_in_the_place_of_what_is_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["call.key", "attester.key"] {
        SecretKey::generate().unwrap().write(&path(name), Form::Pem).unwrap();
    }
    std::fs::write(path("weights.bin"), "on disk").unwrap();
    std::fs::write(path("prompt.txt"), "Be careful.").unwrap();
    let text = "agent = \"a\"\nissuer = \"i\"\nkey = \"call.key\"\nattester_key = \"attester.key\"\ndelegation = \"d\"\nlog = \"l.db\"\n\
        [measure]\nweights = [\"weights.bin\"]\nsystem_prompt = \"prompt.txt\"\ncache = false\n";
    let mut config = Config::parse(text, &path("agent.toml")).unwrap();
    let mut loading = Loading::default();
    loading.file("weights.bin", b"in memory").unwrap();
    let loaded = loading.measurement().unwrap();
    config.loaded = vec![loaded];

    let token = issue(&config, State::measure(&config, &|_, _| ()).unwrap()).unwrap();
    let payload = b64::decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap();
    let on_disk = FileSet::new([path("weights.bin")]).manifest(&|_| {}).unwrap().value.digest;
    assert!(payload.contains(&loaded.digest.to_b64()) && !payload.contains(&on_disk.to_b64()), "{payload}");
    assert_eq!(payload.matches("model-weights").count(), 1, "{payload}");
    assert!(payload.contains("system-prompt"), "{payload}");
}
