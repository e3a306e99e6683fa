//! Status lists by themselves, and nonces.

use attest_core::b64;
use attest_core::json::{self, Value};
use attest_core::jwk::{PublicKey, Thumbprint};
use attest_core::nonce::{Nonce, NonceError, Nonces};
use attest_core::refusal::{Refusal, Token};
use attest_core::shared_document::SharedDocument;
use attest_core::status::{Standing, StatusError, Statuses};
use attest_core::trust::Trust;
use attest_tests::vectors::call::NOW;
use attest_tests::vectors::{directory, trust};

use super::each;

/// The lists of a file, as of the time of the vectors.
pub fn lists(file: &str, trust: &Trust) -> Statuses {
    let mut statuses = Statuses::default();
    for line in std::fs::read_to_string(directory().join(file)).unwrap().lines() {
        let (uri, token) = line.split_once(' ').unwrap();
        statuses.take(uri, token, trust, NOW).unwrap();
    }
    statuses
}

#[test]
fn each_shared_document_is_opened_or_not_as_its_vector_says() {
    each("shared-document", |vector| {
        let jwk = PublicKey::from_jwk(&json::parse(vector.get("jwk").unwrap().as_bytes()).unwrap()).unwrap();
        let (audience, name) = (vector.get("audience").unwrap(), vector.get("document").unwrap());
        match SharedDocument::open(&vector.body, audience, name, &jwk) {
            Ok((_, bytes)) => {
                assert_eq!(vector.get("forward"), Some(b64::encode(bytes).as_str()), "{}", vector.name);
                "accept".to_owned()
            }
            Err(error) => error.code().to_owned(),
        }
    });
}

#[test]
fn each_status_list_is_taken_or_not_as_its_vector_says() {
    each("status-list", |vector| {
        let trust = trust::read(&std::fs::read(directory().join(vector.get("trust").unwrap())).unwrap()).unwrap();
        let mut statuses = vector.get("lists").map(|file| lists(file, &trust)).unwrap_or_default();
        let uri = "https://status.example/a";
        let before = statuses.held(uri, &trust).map(|list| list.token());
        let now = vector.get("now").unwrap().parse().unwrap();
        let verdict = statuses.take(uri, std::str::from_utf8(&vector.body).unwrap(), &trust, now);
        if verdict.is_err() {
            assert_eq!(statuses.held(uri, &trust).map(|list| list.token()), before, "{}", vector.name);
        }
        let code = match verdict {
            Ok(_) => {
                let marked = statuses.held(uri, &trust).unwrap().marked();
                let marked: Vec<String> = marked.map(|(index, of)| format!("{index}:{}", of.number())).collect();
                let marked = if marked.is_empty() { "none".to_owned() } else { marked.join(" ") };
                assert_eq!(vector.get("marked"), Some(marked.as_str()), "{}", vector.name);
                return "accept".to_owned();
            }
            Err(StatusError::Token(error)) => Refusal::of_token(error, Token::Attestation).reason.code(),
            Err(StatusError::Signature(_)) => "signature",
            Err(StatusError::Other { .. }) => "other-list",
            Err(StatusError::Older { .. }) => "older",
            Err(StatusError::Future { .. }) => "future",
            Err(other) => panic!("{}: {other}", vector.name),
        };
        code.to_owned()
    });
}

#[test]
fn a_list_reads_as_it_was_written() {
    let key = attest_tests::vectors::token::key(70);
    for bits in [1, 2, 4, 8] {
        let bits = attest_core::status::Bits::of(bits).unwrap();
        let mut list =
            attest_core::status::StatusList::new("https://status.example/a".to_owned(), bits, 1_000).unwrap();
        list.issued_at = NOW;
        list.ttl = Some(60);
        list.set(0, Standing::Invalid).unwrap();
        list.set(999, Standing::Invalid).unwrap();
        list.set(999, Standing::Valid).unwrap();
        list.set(998, Standing::Invalid).unwrap();
        assert!(list.set(list.size(), Standing::Invalid).is_err());
        let room = bits.number() > 1;
        assert_eq!(list.set(5, Standing::Suspended).is_ok(), room);
        let trust = trust::read(&serde_json::to_vec(&attest_tests::vectors::status::trust()).unwrap()).unwrap();
        let mut statuses = Statuses::default();
        statuses.take(&list.uri, &list.sign(&key).unwrap(), &trust, NOW).unwrap();
        assert_eq!(**statuses.held(&list.uri, &trust).unwrap(), list);
        let marked: Vec<u64> = list.marked().map(|(index, _)| index).collect();
        assert_eq!(marked, if room { vec![0, 5, 998] } else { vec![0, 998] });
    }
}

#[test]
fn each_nonce_counts_or_not_as_its_vector_says() {
    each("nonce", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let text = |name| body.as_object().unwrap().get(name).and_then(Value::as_str).unwrap();
        let secret = |name| b64::decode_exact::<32>(text(name)).unwrap();
        let mut nonces = Nonces::new(secret("before"));
        nonces.rotate(secret("secret"));
        let key = Thumbprint::parse(text("key")).unwrap();
        let now = vector.get("now").unwrap().parse().unwrap();
        match nonces.check(&Nonce::from_b64(text("nonce")).unwrap(), text("audience"), &key, now) {
            Ok(()) => "good",
            Err(NonceError::Stale) => "stale",
            Err(NonceError::NotOurs) => "not-ours",
            Err(other) => panic!("{other}"),
        }
        .to_owned()
    });
}

#[test]
fn a_nonce_of_the_secret_before_the_last_counts_no_more() {
    let key = attest_tests::vectors::token::thumbprint(3);
    let key = Thumbprint::parse(&key).unwrap();
    let mut nonces = Nonces::new([1; 32]);
    let nonce = nonces.issue("files", &key, NOW);
    nonces.rotate([2; 32]);
    assert_eq!(nonces.check(&nonce, "files", &key, NOW), Ok(()));
    nonces.rotate([3; 32]);
    assert_eq!(nonces.check(&nonce, "files", &key, NOW), Err(NonceError::NotOurs));
}
