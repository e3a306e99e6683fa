//! OpenSSL reads what we write, and we read what it writes.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a helper of tests fails its test")]

mod common;

use std::path::Path;

use attest_core::sign::Sign as _;
use attest_keys::{Form, FormatError, KeyError, P256Key, SecretKey, parse_public, public_pem, read_public};
use common::{assert_signs, folder, private_file, refusal, rfc_key, run, tool};

fn genpkey(path: &Path, args: &[&str]) -> Option<()> {
    run(tool("openssl")?.arg("genpkey").args(args).arg("-out").arg(path));
    Some(())
}

#[test]
fn openssl_derives_the_same_public_key_from_our_private_pem() {
    let Some(mut openssl) = tool("openssl") else { return };
    let dir = folder();
    let path = dir.path().join("key.pem");
    rfc_key().write(&path, Form::Pem).unwrap();
    let theirs = run(openssl.args(["pkey", "-pubout", "-in"]).arg(&path)).stdout;
    assert_eq!(String::from_utf8(theirs).unwrap(), public_pem(rfc_key().public()).unwrap());
}

#[test]
fn openssl_verifies_our_signature() {
    let (Some(mut openssl), dir) = (tool("openssl"), folder()) else {
        return;
    };
    let Ok(signature) = rfc_key().sign(b"a message");
    let [key, message, sig] = ["key.pub", "message", "signature"].map(|name| dir.path().join(name));
    attest_keys::write_public(&key, rfc_key().public(), Form::Pem).unwrap();
    std::fs::write(&message, b"a message").unwrap();
    std::fs::write(&sig, signature).unwrap();
    openssl.args(["pkeyutl", "-verify", "-rawin", "-pubin", "-inkey"]).arg(&key);
    run(openssl.arg("-in").arg(&message).arg("-sigfile").arg(&sig));
}

#[test]
fn we_read_what_openssl_writes() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    if genpkey(&path, &["-algorithm", "ed25519"]).is_none() {
        return;
    }
    let key = SecretKey::read(&path).unwrap();
    assert_signs(&key);
    let public = dir.path().join("key.pub");
    run(tool("openssl").unwrap().args(["pkey", "-pubout", "-in"]).arg(&path).arg("-out").arg(&public));
    assert_eq!(read_public(&public).unwrap(), *key.public());
    // Each where the other belongs.
    assert_eq!(format_error(read_public(&path).unwrap_err()), FormatError::PrivateWherePublic);
    let text = std::fs::read(&public).unwrap();
    assert_eq!(SecretKey::parse(&text).unwrap_err(), FormatError::PublicWherePrivate);
}

#[test]
fn keys_of_other_algorithms_are_named_as_such() {
    let dir = folder();
    for (name, args) in [
        ("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"][..]),
        ("ec", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"][..]),
        ("x25519", &["-algorithm", "x25519"][..]),
        ("ed448", &["-algorithm", "ed448"][..]),
    ] {
        let path = dir.path().join(name);
        if genpkey(&path, args).is_none() {
            return;
        }
        assert_eq!(format_error(refusal(&path)), FormatError::NotEd25519, "{name}");
        let public = run(tool("openssl").unwrap().args(["pkey", "-pubout", "-in"]).arg(&path)).stdout;
        assert_eq!(parse_public(&public).unwrap_err(), FormatError::NotEd25519, "{name}");
    }
}

#[test]
fn an_openssh_file_points_to_the_agent() {
    let Some(mut keygen) = tool("ssh-keygen") else { return };
    let dir = folder();
    let path = dir.path().join("id");
    run(keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path));
    let error = refusal(&path);
    assert!(error.to_string().contains("ssh-add"), "{error}");
    assert_eq!(format_error(error), FormatError::OpenSsh);
}

#[test]
fn version_2_is_read_and_its_public_key_checked() {
    let seed = [7; 32];
    let key = SecretKey::from_seed(&seed).unwrap();
    let version_2 = |public: &[u8; 32]| {
        let mut der = b"\x30\x51\x02\x01\x01\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20".to_vec();
        der.extend_from_slice(&seed);
        der.extend_from_slice(b"\x81\x21\x00");
        der.extend_from_slice(public);
        let mut buffer = [0; 512];
        pem_rfc7468::encode("PRIVATE KEY", pem_rfc7468::LineEnding::LF, &der, &mut buffer).unwrap().to_owned()
    };
    assert_eq!(SecretKey::parse(version_2(key.public().as_bytes()).as_bytes()).unwrap().public(), key.public());
    let of_another = version_2(rfc_key().public().as_bytes());
    assert_eq!(SecretKey::parse(of_another.as_bytes()).unwrap_err(), FormatError::Mismatch);
}

#[test]
fn an_encrypted_key_without_a_passphrase_says_so() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    if genpkey(&path, &["-algorithm", "ed25519", "-aes256", "-pass", "pass:secret"]).is_some() {
        assert_eq!(format_error(refusal(&path)), FormatError::Encrypted);
    }
}

#[cfg(feature = "encrypted")]
mod encrypted {
    use super::*;

    #[test]
    fn openssl_opens_our_encrypted_key() {
        let Some(mut openssl) = tool("openssl") else { return };
        let dir = folder();
        let path = dir.path().join("key.pem");
        rfc_key().write_encrypted(&path, b"a good passphrase").unwrap();
        openssl.args(["pkey", "-pubout", "-passin", "pass:a good passphrase", "-in"]).arg(&path);
        assert_eq!(run(&mut openssl).stdout, public_pem(rfc_key().public()).unwrap().into_bytes());
    }

    #[test]
    fn we_open_what_openssl_encrypts_with_pbkdf2_and_with_scrypt() {
        let dir = folder();
        let [plain, pbkdf2, scrypt] = ["plain", "pbkdf2", "scrypt"].map(|name| dir.path().join(name));
        if genpkey(&plain, &["-algorithm", "ed25519"]).is_none() {
            return;
        }
        let key = SecretKey::read(&plain).unwrap();
        for (path, kdf) in
            [(&pbkdf2, &["-v2prf", "hmacWithSHA256", "-iter", "600000"][..]), (&scrypt, &["-scrypt"][..])]
        {
            let mut openssl = tool("openssl").unwrap();
            openssl.args(["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:secret"]).args(kdf);
            run(openssl.arg("-in").arg(&plain).arg("-out").arg(path));
            assert_eq!(SecretKey::read_with(path, b"secret").unwrap().public(), key.public());
            assert_eq!(format_error(SecretKey::read_with(path, b"Secret").unwrap_err()), FormatError::Passphrase);
        }
    }

    #[test]
    fn no_wrong_passphrase_gives_a_key() {
        // CBC lets one in 256 through its padding check.
        let dir = folder();
        let path = dir.path().join("key.pem");
        let Some(mut openssl) = tool("openssl") else { return };
        rfc_key().write(&dir.path().join("plain"), Form::Pem).unwrap();
        openssl.args(["pkcs8", "-topk8", "-v2", "aes256", "-iter", "1", "-passout", "pass:right", "-in"]);
        run(openssl.arg(dir.path().join("plain")).arg("-out").arg(&path));
        let text = std::fs::read(&path).unwrap();
        for n in 0..1000 {
            let wrong = format!("wrong {n}");
            assert_eq!(SecretKey::parse_with(&text, wrong.as_bytes()).unwrap_err(), FormatError::Passphrase);
        }
        assert!(SecretKey::parse_with(&text, b"right").is_ok());
    }

    #[test]
    fn a_derivation_that_asks_for_too_much_is_refused_before_it_starts() {
        let dir = folder();
        let path = dir.path().join("key.pem");
        rfc_key().write_encrypted(&path, b"secret").unwrap();
        let (label, mut der) = {
            let text = std::fs::read(&path).unwrap();
            let mut buffer = [0; 1024];
            let (label, der) = pem_rfc7468::decode(&text, &mut buffer).unwrap();
            (label.to_owned(), der.to_vec())
        };
        // N = 2^14, r = 8, p = 1; r and p become 127 each, which would take 4 GiB of work.
        let at = der.windows(7).position(|w| w == b"\x02\x02\x40\x00\x02\x01\x08").unwrap();
        der[at + 6] = 0x7f;
        der[at + 9] = 0x7f;
        let mut buffer = [0; 1024];
        let text = pem_rfc7468::encode(&label, pem_rfc7468::LineEnding::LF, &der, &mut buffer).unwrap();
        assert_eq!(SecretKey::parse_with(text.as_bytes(), b"secret").unwrap_err(), FormatError::Derivation);
    }
}

#[test]
fn a_pem_with_something_before_or_after_it_is_not_half_read() {
    let dir = folder();
    let path = dir.path().join("key.pem");
    rfc_key().write(&path, Form::Pem).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let twice = format!("{text}{text}");
    assert!(SecretKey::parse(twice.as_bytes()).is_err());
    let path = private_file(dir.path(), "bag", format!("Bag Attributes\n{text}").as_bytes());
    assert_eq!(format_error(refusal(&path)), FormatError::Unrecognised);
}

fn format_error(error: KeyError) -> FormatError {
    match error {
        KeyError::Format { error, .. } => error,
        other => panic!("{other}"),
    }
}

#[test]
fn a_publishers_key_is_read_in_both_of_openssls_forms_and_openssl_verifies_what_it_signs() {
    let (Some(_), dir) = (tool("openssl"), folder()) else {
        return;
    };
    let path = |name: &str| dir.path().join(name);
    let openssl = || tool("openssl").unwrap();
    genpkey(&path("pkcs8.pem"), &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]).unwrap();
    // With the block of parameters in front, as OpenSSL writes it where nothing is said.
    run(openssl().args(["ecparam", "-name", "prime256v1", "-genkey", "-out"]).arg(path("sec1.pem")));
    for name in ["pkcs8.pem", "sec1.pem"] {
        let text = std::fs::read_to_string(path(name)).unwrap();
        let key = P256Key::read(&private_file(dir.path(), "own.pem", text.as_bytes())).unwrap();
        std::fs::write(path("pub"), key.public_pem().unwrap()).unwrap();
        let theirs = run(openssl().args(["pkey", "-pubout", "-in"]).arg(path(name))).stdout;
        assert_eq!(String::from_utf8(theirs).unwrap(), key.public_pem().unwrap(), "{name}");
        std::fs::write(path("message"), "message").unwrap();
        std::fs::write(path("sig"), key.sign(b"message")).unwrap();
        let mut verify = openssl();
        run(verify
            .args(["dgst", "-sha256", "-verify"])
            .arg(path("pub"))
            .arg("-signature")
            .arg(path("sig"))
            .arg(path("message")));
        assert!(P256Key::parse(&text.as_bytes()[..text.len() / 2]).is_err());
    }
    genpkey(&path("p384.pem"), &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]).unwrap();
    let parse = |name: &str| P256Key::parse(&std::fs::read(path(name)).unwrap()).unwrap_err();
    assert_eq!(parse("p384.pem"), FormatError::NotP256);
    assert_eq!(parse("pub"), FormatError::PublicWherePrivate);
    let ours = rfc_key();
    ours.write(&path("ours.pem"), Form::Pem).unwrap();
    assert_eq!(parse("ours.pem"), FormatError::NotP256);
    assert_eq!(P256Key::parse(b"key").unwrap_err(), FormatError::Pem);
}
