//! What several of the tests need.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a helper of tests fails its test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use attest_core::sign::Sign as _;
use attest_keys::{KeyError, SecretKey};

/// A program of the machine. Where it is missing the test is skipped aloud, except in CI, where that is a failure.
pub fn tool(name: &str) -> Option<Command> {
    let found = std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(name).is_file()));
    if !found {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found.then(|| Command::new(name))
}

pub fn run(command: &mut Command) -> Output {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

/// The key of RFC 8032, section 7.1, test 1 (also RFC 8037, appendix A).
pub fn rfc_key() -> SecretKey {
    SecretKey::from_seed(&hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")).unwrap()
}

pub fn hex(text: &str) -> [u8; 32] {
    let bytes: Vec<u8> = (0..64).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect();
    bytes.try_into().unwrap()
}

/// A file of mode 0600.
pub fn private_file(folder: &Path, name: &str, content: &[u8]) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

pub fn refusal(path: &Path) -> KeyError {
    SecretKey::read(path).expect_err("this file must be refused")
}

pub fn assert_signs(key: &SecretKey) {
    let Ok(signature) = key.sign(b"message");
    assert!(key.public().verifies(b"message", &signature));
}
