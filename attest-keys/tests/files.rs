//! Which files are taken for a private key, and how one is made.

mod common;

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use attest_core::sign::Sign as _;
use attest_keys::{Form, FormatError, KeyError, SecretKey, read_public, write_public};
use common::{assert_signs, folder, private_file, refusal, rfc_key};

#[test]
fn a_written_key_is_read_back_in_both_forms() {
    let dir = folder();
    let key = SecretKey::generate().unwrap();
    for (form, name) in [(Form::Pem, "key.pem"), (Form::Jwk, "key.jwk")] {
        let path = dir.path().join(name);
        key.write(&path, form).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
        let read = SecretKey::read(&path).unwrap();
        assert_eq!(read.public(), key.public());
        assert_signs(&read);

        let public = dir.path().join(format!("{name}.pub"));
        write_public(&public, key.public(), form).unwrap();
        assert_eq!(read_public(&public).unwrap(), *key.public());
    }
}

#[test]
fn two_generated_keys_differ() {
    assert_ne!(SecretKey::generate().unwrap().public(), SecretKey::generate().unwrap().public());
}

#[test]
fn a_key_is_never_overwritten_not_even_through_a_link() {
    let dir = folder();
    let path = private_file(dir.path(), "key.pem", b"precious");
    assert!(matches!(rfc_key().write(&path, Form::Pem), Err(KeyError::Exists { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");

    let dangling = dir.path().join("link");
    symlink(dir.path().join("elsewhere"), &dangling).unwrap();
    assert!(matches!(rfc_key().write(&dangling, Form::Pem), Err(KeyError::Exists { .. })));
    assert!(!dir.path().join("elsewhere").exists());
}

#[test]
fn a_key_that_others_may_touch_is_refused_with_the_command_that_mends_it() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    rfc_key().write(&path, Form::Pem).unwrap();
    for mode in [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o777] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = refusal(&path);
        assert!(matches!(&error, KeyError::Permissions { mode: m, .. } if *m == mode), "{error}");
        assert!(error.to_string().contains(&format!("chmod 600 '{}'", path.display())), "{error}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_signs(&SecretKey::read(&path).unwrap());
}

#[test]
fn a_key_of_another_user_is_refused() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    rfc_key().write(&path, Form::Pem).unwrap();
    // Only root can give a file away; the rule itself is tested without a file in src/file.rs.
    if std::os::unix::fs::chown(&path, Some(65534), None).is_ok() {
        assert!(matches!(refusal(&path), KeyError::Owner { owner: 65534, .. }));
    }
}

#[test]
fn what_is_no_plain_file_is_refused_without_waiting() {
    let dir = folder();
    rfc_key().write(&dir.path().join("key.pem"), Form::Pem).unwrap();

    let link = dir.path().join("link.pem");
    symlink(dir.path().join("key.pem"), &link).unwrap();
    assert!(matches!(refusal(&link), KeyError::Symlink { .. }));
    assert!(matches!(read_public(&link), Err(KeyError::Symlink { .. })));

    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(refusal(&fifo), KeyError::NotAFile { .. }));

    let socket = dir.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(refusal(&socket), KeyError::NotAFile { .. }));

    assert!(matches!(refusal(dir.path()), KeyError::NotAFile { .. }));
    assert!(matches!(refusal(Path::new("/dev/null")), KeyError::NotAFile { .. }));
}

#[test]
fn a_missing_key_names_its_path_and_how_to_make_one() {
    let error = refusal(Path::new("/nowhere/agent.pem"));
    assert!(matches!(error, KeyError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("/nowhere/agent.pem") && text.contains("attest keygen"), "{text}");
}

#[test]
fn a_file_larger_than_any_key_is_not_read_on() {
    let dir = folder();
    let path = private_file(dir.path(), "big", &vec![b'-'; 1 << 20]);
    assert!(matches!(refusal(&path), KeyError::TooLarge { .. }));
}

#[test]
fn every_truncation_is_refused() {
    let dir = folder();
    for (form, name) in [(Form::Pem, "key.pem"), (Form::Jwk, "key.jwk")] {
        let path = dir.path().join(name);
        rfc_key().write(&path, form).unwrap();
        let text = std::fs::read(&path).unwrap();
        // The last byte is a line feed, without which both are still whole.
        for end in 0..text.len() - 1 {
            assert!(SecretKey::parse(&text[..end]).is_err(), "{name} cut to {end} bytes");
        }
    }
}

#[test]
fn every_flipped_byte_is_refused_or_gives_another_valid_key() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    rfc_key().write(&path, Form::Pem).unwrap();
    let text = std::fs::read(&path).unwrap();
    for at in 0..text.len() - 1 {
        let mut changed = text.clone();
        changed[at] ^= 1;
        if let Ok(key) = SecretKey::parse(&changed) {
            assert_ne!(key.public(), rfc_key().public(), "byte {at} has no meaning");
        }
    }
}

#[test]
fn a_debug_print_shows_the_thumbprint_and_no_secret() {
    let key = rfc_key();
    // RFC 8037, appendix A.3.
    assert_eq!(format!("{key:?}"), "SecretKey(kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k)");
}

#[test]
fn errors_name_the_file() {
    let dir = folder();
    let path = private_file(dir.path(), "key", b"hello");
    let error = refusal(&path);
    assert!(matches!(error, KeyError::Format { error: FormatError::Unrecognised, .. }));
    assert!(error.to_string().starts_with(&path.display().to_string()));
}
