//! Bundles of the real tool, read here.

use std::fs;
use std::os::unix::fs::symlink;

use attest_core::measurement::Component;
use attest_measure::oms::{Difference, Endorsement, MAX_BUNDLE, OmsError, PublisherKey};
use attest_measure::{FileSet, MeasureError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::publisher::Publisher;

fn names(endorsement: &Endorsement) -> Vec<&str> {
    endorsement.resources().iter().map(|r| r.name.as_str()).collect()
}

#[test]
fn a_bundle_of_the_tool_endorses_exactly_the_files_that_it_lists() {
    let publisher = Publisher::new();
    publisher.sign("m.sig", &[]);
    let endorsement = publisher.read("m.sig").unwrap();
    assert_eq!(names(&endorsement), ["a.bin", "empty", "sub/b.txt", "sub.x"]);
    assert_eq!(endorsement.check(&publisher.manifest(&[])), Ok(()));
    let differs = |change: &dyn Fn()| {
        change();
        endorsement.check(&publisher.manifest(&[])).unwrap_err()
    };
    let one = |name: &str| vec![name.to_owned()];
    let changed = differs(&|| publisher.write("m/a.bin", "weightz"));
    assert_eq!(changed, Difference { changed: one("a.bin"), ..Difference::default() });
    assert!(changed.to_string().contains("\"a.bin\""));
    let added = differs(&|| {
        publisher.write("m/a.bin", "weights");
        publisher.write("m/sub/evil.py", "");
    });
    assert_eq!(added, Difference { added: one("sub/evil.py"), ..Difference::default() });
    let renamed = differs(&|| fs::rename(publisher.path("m/sub/evil.py"), publisher.path("m/z")).unwrap());
    assert_eq!(renamed.added, one("z"));
    let swapped = differs(&|| {
        fs::remove_file(publisher.path("m/z")).unwrap();
        publisher.write("m/a.bin", "more");
        publisher.write("m/sub/b.txt", "weights");
    });
    assert_eq!(
        swapped.changed,
        ["a.bin", "sub/b.txt"],
        "names are bound, though the subject's digest does not bind them"
    );
    let missing = differs(&|| fs::remove_file(publisher.path("m/empty")).unwrap());
    assert_eq!(missing.missing, one("empty"));
}

#[test]
fn what_the_publisher_ignored_is_not_endorsed_until_it_is_left_out() {
    let publisher = Publisher::new();
    publisher.write("m/.git/HEAD", "ref");
    publisher.write("m/.gitignore2", "x");
    publisher.sign("m/model.sig", &["--ignore-paths", "m/empty"]);
    let endorsement = publisher.read("m/model.sig").unwrap();
    assert!(names(&endorsement).contains(&".gitignore2"));
    let difference = endorsement.check(&publisher.manifest(&[])).unwrap_err();
    assert_eq!(difference.ignored, [".git/HEAD", "empty", "model.sig"]);
    assert_eq!((difference.added, difference.changed, difference.missing), (vec![], vec![], vec![]));
    assert_eq!(endorsement.check(&publisher.manifest(&[".git", "model.sig", "empty"])), Ok(()));
    publisher.write("m/.gitignore", "");
    let difference = endorsement.check(&publisher.manifest(&[".git", "model.sig", "empty"])).unwrap_err();
    assert_eq!(difference.ignored, [".gitignore"]);
}

#[test]
fn a_link_counts_as_the_bytes_behind_it_and_the_tool_signs_it_only_when_asked() {
    let publisher = Publisher::new();
    symlink("a.bin", publisher.path("m/link")).unwrap();
    publisher.sign("m.sig", &["--allow_symlinks"]);
    let endorsement = publisher.read("m.sig").unwrap();
    assert!(names(&endorsement).contains(&"link"));
    assert_eq!(endorsement.check(&publisher.manifest(&[])), Ok(()));
    fs::remove_file(publisher.path("m/link")).unwrap();
    symlink("sub.x", publisher.path("m/link")).unwrap();
    assert_eq!(endorsement.check(&publisher.manifest(&[])).unwrap_err().changed, ["link"]);
    // What lies behind a linked folder the tool does not see.
    fs::remove_file(publisher.path("m/link")).unwrap();
    symlink("sub", publisher.path("m/link")).unwrap();
    publisher.sign("folder.sig", &["--allow_symlinks"]);
    let endorsement = publisher.read("folder.sig").unwrap();
    assert_eq!(endorsement.check(&publisher.manifest(&[])).unwrap_err().added, ["link/b.txt"]);
}

#[test]
fn a_model_of_one_file_is_endorsed_under_any_name_and_no_folder_is() {
    let publisher = Publisher::new();
    let sign = ["sign", "key", "m/a.bin", "--private_key", "key.pem", "--signature", "a.sig"];
    attest_tests::world::must(publisher.tool(&sign));
    let endorsement = publisher.read("a.sig").unwrap();
    assert_eq!(names(&endorsement), ["."]);
    let manifest = |name: &str| FileSet::new([publisher.path(name)]).manifest(&|_| {}).unwrap().value;
    publisher.write("other", "weights");
    assert_eq!(endorsement.check(&manifest("m/a.bin")), Ok(()));
    assert_eq!(endorsement.check(&manifest("other")), Ok(()));
    assert_eq!(endorsement.check(&manifest("m/sub.x")).unwrap_err().changed, ["sub.x"]);
    assert!(endorsement.check(&manifest("m")).is_err());
}

#[test]
fn only_the_pinned_key_counts_and_other_curves_are_named() {
    let publisher = Publisher::new();
    publisher.sign("m.sig", &[]);
    publisher.key("other", "prime256v1");
    let other = PublisherKey::read(&publisher.path("other.pub")).unwrap().unwrap();
    let bytes = fs::read(publisher.path("m.sig")).unwrap();
    assert!(matches!(Endorsement::verify(&bytes, &other), Err(OmsError::OtherKey { .. })));
    // The bundle's hint is anybody's to write: with the right one, the signature still is another's.
    let mut bundle: Value = serde_json::from_slice(&bytes).unwrap();
    bundle["verificationMaterial"]["publicKey"]["hint"] = json!(other.hint());
    let forged = bundle.to_string();
    assert_eq!(Endorsement::verify(forged.as_bytes(), &other), Err(OmsError::Signature));
    bundle["verificationMaterial"]["publicKey"]["hint"] = json!("");
    assert!(Endorsement::verify(bundle.to_string().as_bytes(), &publisher.publisher_key()).is_ok());
    for (curve, named) in [("secp384r1", "P-384"), ("secp521r1", "P-521"), ("secp256k1", "another curve")] {
        publisher.key("odd", curve);
        let refused = PublisherKey::read(&publisher.path("odd.pub")).unwrap().unwrap_err();
        assert_eq!(refused, OmsError::KeyKind(named));
        assert!(refused.to_string().contains("P-256"));
    }
    let private = PublisherKey::read(&publisher.path("key.pem")).unwrap().unwrap_err();
    assert_eq!(private, OmsError::KeyLabel("PRIVATE KEY".to_owned()));
    publisher.write("none.pub", "key");
    assert_eq!(PublisherKey::read(&publisher.path("none.pub")).unwrap().unwrap_err(), OmsError::KeyPem);
    publisher.write("large.pub", vec![b'x'; 1 << 20]);
    assert!(matches!(PublisherKey::read(&publisher.path("large.pub")), Err(MeasureError::TooLarge { .. })));
}

#[test]
fn a_bundle_that_was_changed_in_any_way_endorses_nothing() {
    let publisher = Publisher::new();
    publisher.sign("m.sig", &[]);
    let key = publisher.publisher_key();
    let bytes = fs::read(publisher.path("m.sig")).unwrap();
    for end in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(Endorsement::verify(&bytes[..end], &key), Err(OmsError::Json(_))), "cut at {end}");
    }
    let text = String::from_utf8(bytes.clone()).unwrap();
    let twice = text.replacen("{\"mediaType\"", "{\"mediaType\":\"x\",\"mediaType\"", 1);
    assert!(matches!(Endorsement::verify(twice.as_bytes(), &key), Err(OmsError::Json(_))));
    let edited = |path: &str, value: Value| {
        let mut bundle: Value = serde_json::from_slice(&bytes).unwrap();
        *bundle.pointer_mut(path).unwrap() = value;
        Endorsement::verify(bundle.to_string().as_bytes(), &key).unwrap_err()
    };
    let is_other = |error: &OmsError, name: &str| matches!(error, OmsError::Other { member, .. } if *member == name);
    assert!(is_other(&edited("/mediaType", json!("application/json")), "mediaType"));
    assert!(is_other(&edited("/dsseEnvelope/payloadType", json!("text/plain")), "payloadType"));
    assert_eq!(edited("/dsseEnvelope/payload", json!("!not base64!")), OmsError::Base64("the payload"));
    assert_eq!(edited("/dsseEnvelope/signatures/0/sig", json!("M=")), OmsError::Base64("the signature"));
    assert_eq!(edited("/dsseEnvelope/signatures/0/sig", json!(STANDARD.encode([0; 64]))), OmsError::Signature);
    assert_eq!(edited("/dsseEnvelope/signatures", json!([])), OmsError::Signatures(0));
    assert_eq!(edited("/dsseEnvelope/payload", json!(STANDARD.encode("{}"))), OmsError::Signature);
    assert_eq!(edited("/dsseEnvelope", json!({})), OmsError::Member("payloadType"));
    assert_eq!(edited("/verificationMaterial", json!({"certificate": {"rawBytes": ""}})), OmsError::NoKey);
    let mut two: Value = serde_json::from_slice(&bytes).unwrap();
    two["dsseEnvelope"]["signatures"] =
        json!([two["dsseEnvelope"]["signatures"][0], two["dsseEnvelope"]["signatures"][0]]);
    assert_eq!(Endorsement::verify(two.to_string().as_bytes(), &key), Err(OmsError::Signatures(2)));
}

#[test]
fn a_bundle_of_a_hundred_megabytes_is_refused_before_it_is_read() {
    let publisher = Publisher::new();
    let payload = "A".repeat(100 << 20);
    publisher.write("huge.sig", format!("{{\"dsseEnvelope\":{{\"payload\":\"{payload}\"}}}}"));
    let files = attest_measure::oms::EndorsedFiles {
        bundle: publisher.path("huge.sig"),
        key: publisher.path("key.pub"),
        manifest: publisher.path("none"),
    };
    let refused = files.verify(Component::ModelWeights).unwrap_err().to_string();
    assert!(refused.contains("huge.sig") && refused.contains(&MAX_BUNDLE.to_string()), "{refused}");
    assert_eq!(
        Endorsement::verify(&fs::read(files.bundle).unwrap(), &publisher.publisher_key()),
        Err(OmsError::TooLarge)
    );
}

/// The statement of a good bundle, to be changed and signed again with the right key.
fn statement(publisher: &Publisher) -> Value {
    publisher.sign("m.sig", &[]);
    let bundle: Value = serde_json::from_slice(&fs::read(publisher.path("m.sig")).unwrap()).unwrap();
    serde_json::from_slice(&STANDARD.decode(bundle["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap()).unwrap()
}

#[test]
fn a_signed_statement_of_another_kind_or_that_contradicts_itself_is_refused() {
    let publisher = Publisher::new();
    let good = statement(&publisher);
    let verdict = |payload: &[u8]| Endorsement::verify(&publisher.sign_payload(payload), &publisher.publisher_key());
    assert!(verdict(good.to_string().as_bytes()).is_ok());
    let edited = |path: &str, value: Value| {
        let mut statement = good.clone();
        *statement.pointer_mut(path).unwrap() = value;
        verdict(statement.to_string().as_bytes()).unwrap_err()
    };
    assert!(matches!(
        edited("/_type", json!("https://in-toto.io/Statement/v0.1")),
        OmsError::Other { member: "_type", .. }
    ));
    assert!(matches!(edited("/predicateType", json!("x")), OmsError::Other { member: "predicateType", .. }));
    assert_eq!(edited("/predicateType", json!("https://model_signing/Digests/v0.1")), OmsError::Old);
    let other = |member| {
        move |error: OmsError| assert!(matches!(error, OmsError::Serialization { member: m, .. } if m == member))
    };
    other("method")(edited("/predicate/serialization/method", json!("shards")));
    other("hash_type")(edited("/predicate/serialization/hash_type", json!("blake3")));
    other("algorithm")(edited("/predicate/resources/0/algorithm", json!("blake2b")));
    assert_eq!(edited("/predicate/resources", json!([])), OmsError::Empty);
    for name in ["", "/a", "../a", "a/./b", "a//b", "a/", "."] {
        assert_eq!(edited("/predicate/resources/0/name", json!(name)), OmsError::Name(name.to_owned()));
    }
    assert_eq!(edited("/predicate/resources/0/name", json!("empty")), OmsError::Twice("empty".to_owned()));
    let upper = good["predicate"]["resources"][0]["digest"].as_str().unwrap().to_uppercase();
    assert_eq!(edited("/predicate/resources/0/digest", json!(upper)), OmsError::Digest("a.bin".to_owned()));
    assert_eq!(edited("/predicate/resources/0/digest", json!("0".repeat(64))), OmsError::Subject);
    assert_eq!(edited("/subject", json!([good["subject"][0], good["subject"][0]])), OmsError::Member("subject"));
    assert_eq!(edited("/subject/0/digest/sha256", json!("0".repeat(64))), OmsError::Subject);
    let twice = good.to_string().replacen("{\"_type\"", "{\"_type\":1,\"_type\"", 1);
    assert!(matches!(verdict(twice.as_bytes()), Err(OmsError::Payload(_))));
    assert!(matches!(verdict(b"\xff"), Err(OmsError::Payload(_))));
}

#[test]
fn every_other_way_of_the_tool_to_hash_is_refused_by_name() {
    let publisher = Publisher::new();
    let script = "import sys, model_signing as m\n\
        c = m.hashing.Config()\n\
        c = c.use_shard_serialization() if sys.argv[1] == 'shards' else c.use_file_serialization(hashing_algorithm=sys.argv[1])\n\
        m.signing.Config().use_elliptic_key_signer(private_key='key.pem').set_hashing_config(c).sign('m', 'odd.sig')\n";
    for (way, member) in [("shards", "method"), ("blake2", "hash_type"), ("blake3", "hash_type")] {
        let mut python = std::process::Command::new(attest_tests::real::env("oms/bin/python"));
        python.args(["-c", script, way]).current_dir(publisher.path(""));
        attest_tests::world::must(python);
        let refused = publisher.read("odd.sig").unwrap_err();
        assert!(matches!(refused, OmsError::Serialization { member: m, .. } if m == member), "{way}: {refused}");
    }
}
