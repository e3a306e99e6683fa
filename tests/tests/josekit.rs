//! josekit as a second implementation: it reads every token of ours and writes ones that we read; and why it does no
//! more than that, each reason as a test, so that a release which repairs one is noticed.
//!
//! josekit turns on `serde_json/preserve_order` for the whole build. That our tokens are canonical here shows that
//! nothing of ours leans on the order of a `serde_json` map.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeMap;
use std::panic::catch_unwind;
use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::b64;
use attest_core::call_proof::CallProof;
use attest_core::constraint::Constraint;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jwk::{KeyError, PublicKey};
use attest_core::jws::{Statement, TokenError, Unverified};
use attest_core::measurement::{Component, Grade, Measurement};
use attest_core::request::{Message, classify};
use attest_core::sign::{MemoryKey, Sign};
use attest_core::signing::{Credentials, Particulars, sign_call};
use attest_core::tools::Tools;
use josekit::jwe::{self, JweHeader, PBES2_HS512_A256KW};
use josekit::jwk::Jwk;
use josekit::jws::{EdDSA, JwsAlgorithm, JwsContext, JwsHeader, JwsHeaderSet, JwsSigner, JwsVerifier};
use josekit::{JoseError, Value};

const NOW: u64 = 1_800_000_000;

/// What josekit lacks: RFC 9864's name for the algorithm.
#[derive(Debug)]
struct Ed25519;

impl JwsAlgorithm for Ed25519 {
    fn name(&self) -> &str {
        "Ed25519"
    }

    fn box_clone(&self) -> Box<dyn JwsAlgorithm> {
        Box::new(Self)
    }
}

/// dalek's strict check behind josekit's codec; not our own token reader, which is what is under test.
#[derive(Clone, Debug)]
struct Checker {
    key: ed25519_dalek::VerifyingKey,
    kid: String,
}

impl Checker {
    fn of(key: &PublicKey) -> Self {
        Self {
            key: ed25519_dalek::VerifyingKey::from_bytes(key.as_bytes()).unwrap(),
            kid: key.thumbprint().to_string(),
        }
    }
}

fn bad_signature() -> JoseError {
    JoseError::InvalidSignature(std::io::Error::other("not by this key").into())
}

impl JwsVerifier for Checker {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        &Ed25519
    }

    fn key_id(&self) -> Option<&str> {
        Some(&self.kid)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), JoseError> {
        let signature = ed25519_dalek::Signature::from_slice(signature).map_err(|_| bad_signature())?;
        self.key.verify_strict(message, &signature).map_err(|_| bad_signature())
    }

    fn box_clone(&self) -> Box<dyn JwsVerifier> {
        Box::new(self.clone())
    }
}

#[derive(Clone, Debug)]
struct Signer(Arc<MemoryKey>);

impl JwsSigner for Signer {
    fn algorithm(&self) -> &dyn JwsAlgorithm {
        &Ed25519
    }

    fn key_id(&self) -> Option<&str> {
        Some(self.0.public().thumbprint().as_str())
    }

    fn signature_len(&self) -> usize {
        64
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, JoseError> {
        let Ok(signature) = Sign::sign(&*self.0, message);
        Ok(signature.to_vec())
    }

    fn box_clone(&self) -> Box<dyn JwsSigner> {
        Box::new(self.clone())
    }
}

/// One call with all its tokens, and who signed each.
struct World {
    attester: Arc<MemoryKey>,
    root: Arc<MemoryKey>,
    middle: Arc<MemoryKey>,
    agent: Arc<MemoryKey>,
    attestation: String,
    chain: [String; 2],
    proof: String,
}

impl World {
    fn new() -> Self {
        let [attester, root, middle, agent] = [1, 2, 3, 4].map(|n| Arc::new(MemoryKey::from_seed(&[n; 32])));
        let attestation = Attestation {
            issuer: "acme".to_owned(),
            agent: "a\u{fc}\u{1d11e}\u{ff5e}\"\\".to_owned(),
            issued_at: NOW - 10,
            expires: NOW + 290,
            id: Jti([9; 16]),
            key: agent.public().clone(),
            measurements: vec![Measurement {
                component: Component::SystemPrompt,
                digest: Digest::of("the prompt"),
                grade: Grade::OnDisk,
            }],
            platform: None,
            nonce: None,
            status: None,
        };
        let attestation = attestation.sign(&*attester).unwrap();
        let arguments = BTreeMap::from([("path".to_owned(), Constraint::Wildcard)]);
        let granted = Delegation {
            issuer: "owner".to_owned(),
            id: "r".to_owned(),
            issued_at: NOW - 100,
            expires: NOW + 1000,
            key: middle.public().clone(),
            depth: 0,
            max_depth: 2,
            parent: None,
            tools: Tools(BTreeMap::from([("files#read_file".to_owned(), arguments)])),
            flow: None,
            pins: None,
            by: None,
            status: None,
        };
        let parent = granted.sign(&*root).unwrap();
        let input = Digest::of(Unverified::<Delegation>::read(&parent).unwrap().signing_input());
        let child = Delegation {
            issuer: thumbprint_uri(middle.public().thumbprint()),
            id: "c".to_owned(),
            key: agent.public().clone(),
            depth: 1,
            parent: Some(input),
            ..granted
        };
        let chain = [parent, child.sign(&*middle).unwrap()];
        let request = br#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/srv/a"},"_meta":{"com.example/t":"x"}}}"#;
        let request = json::parse(request).unwrap();
        let Ok(Message::Call(call)) = classify(&request) else { panic!("a call") };
        let particulars = Particulars {
            audience: "files",
            context: Jti([5; 16]),
            id: Jti([6; 16]),
            salt: Salt([7; 16]),
            now: NOW,
            life: 60,
            lineage: Default::default(),
            nonce: None,
        };
        let credentials = Credentials::new(&attestation, &chain).unwrap();
        let proof = sign_call(&call, &credentials, particulars, &*agent).unwrap().token;
        Self { attester, root, middle, agent, attestation, chain, proof }
    }

    /// Each token with its type and signer.
    fn tokens(&self) -> [(&str, &str, &Arc<MemoryKey>); 4] {
        let [parent, child] = &self.chain;
        [
            (&*self.attestation, Attestation::TYP, &self.attester),
            (&**parent, Delegation::TYP, &self.root),
            (&**child, Delegation::TYP, &self.middle),
            (&*self.proof, CallProof::TYP, &self.agent),
        ]
    }
}

/// Whether our reader takes the token and finds it signed by `key`.
fn we_accept(token: &str, typ: &str, key: &PublicKey) -> Result<bool, TokenError> {
    fn check<T: Statement>(token: &str, key: &PublicKey) -> Result<bool, TokenError> {
        Ok(Unverified::<T>::read(token)?.verify(key).is_ok())
    }
    match typ {
        Attestation::TYP => check::<Attestation>(token, key),
        Delegation::TYP => check::<Delegation>(token, key),
        CallProof::TYP => check::<CallProof>(token, key),
        _ => panic!("no such type: {typ}"),
    }
}

fn split(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn payload(token: &str) -> Vec<u8> {
    b64::decode(split(token)[1]).unwrap()
}

/// A key as josekit takes it.
fn public(x: &[u8; 32]) -> Jwk {
    let mut jwk = Jwk::new("OKP");
    jwk.set_curve("Ed25519");
    jwk.set_parameter("x", Some(b64::encode(x).into())).unwrap();
    jwk
}

fn private(seed: &[u8; 32], x: &[u8; 32]) -> Jwk {
    let mut jwk = public(x);
    jwk.set_parameter("d", Some(b64::encode(seed).into())).unwrap();
    jwk
}

#[test]
fn josekit_reads_every_token_of_ours_and_sees_the_same_payload() {
    for (token, typ, key) in World::new().tokens() {
        let (seen, header) = JwsContext::new().deserialize_compact(token, &Checker::of(key.public())).unwrap();
        assert_eq!(seen, payload(token), "{typ}");
        assert_eq!(header.algorithm(), Some("Ed25519"));
        assert_eq!(header.key_id(), Some(key.public().thumbprint().as_str()));
        assert_eq!(header.token_type(), Some(typ));
        assert_eq!(header.claims_set().len(), 3);
        // A general JSON parser sees the document that our reader sees.
        let general: Value = serde_json::from_slice(&seen).unwrap();
        let general = general.to_string();
        assert_eq!(json::parse(general.as_bytes()).unwrap().to_canonical(), seen, "{typ}");
    }
}

#[test]
fn openssl_verifies_every_signature_of_ours() {
    for (token, typ, key) in World::new().tokens() {
        let [_, _, signature] = split(token);
        let signature = b64::decode(signature).unwrap();
        let (input, _) = token.rsplit_once('.').unwrap();
        let openssl = EdDSA.verifier_from_jwk(&public(key.public().as_bytes())).unwrap();
        openssl.verify(input.as_bytes(), &signature).unwrap();
        let mut other = input.as_bytes().to_vec();
        other[0] ^= 1;
        assert!(openssl.verify(&other, &signature).is_err(), "{typ}");
    }
}

#[test]
fn josekit_refuses_a_token_of_ours_under_another_key_or_with_another_payload() {
    let world = World::new();
    for (token, typ, key) in world.tokens() {
        let jws = JwsContext::new();
        let (_, _, stranger) = world.tokens().into_iter().find(|(_, _, k)| !Arc::ptr_eq(k, key)).unwrap();
        assert!(jws.deserialize_compact(token, &Checker::of(stranger.public())).is_err(), "{typ}");
        let checker = Checker::of(key.public());
        // The right name on the wrong key: the signature itself decides.
        let named = Checker { kid: checker.kid.clone(), ..Checker::of(stranger.public()) };
        assert!(jws.deserialize_compact(token, &named).is_err(), "{typ}");
        let [header, _, signature] = split(token);
        let changed = [header, &b64::encode("{}"), signature].join(".");
        assert!(jws.deserialize_compact(&changed, &checker).is_err(), "{typ}");
    }
}

#[test]
fn with_its_members_set_in_canonical_order_josekit_writes_our_very_token() {
    for (token, typ, key) in World::new().tokens() {
        let signer = Signer(Arc::clone(key));
        let mut header = JwsHeader::new();
        header.set_algorithm("Ed25519");
        header.set_key_id(signer.key_id().unwrap());
        header.set_token_type(typ);
        let theirs = JwsContext::new().serialize_compact(&payload(token), &header, &signer).unwrap();
        assert_eq!(theirs, token);
        assert_eq!(we_accept(&theirs, typ, key.public()), Ok(true));
    }
}

#[test]
fn the_header_that_josekit_writes_of_itself_is_not_canonical_and_is_refused() {
    for (token, typ, key) in World::new().tokens() {
        let signer = Signer(Arc::clone(key));
        let mut header = JwsHeader::new();
        header.set_token_type(typ);
        let theirs = JwsContext::new().serialize_compact(&payload(token), &header, &signer).unwrap();
        let written = b64::decode(split(&theirs)[0]).unwrap();
        let kid = key.public().thumbprint();
        assert_eq!(String::from_utf8(written).unwrap(), format!(r#"{{"typ":"{typ}","alg":"Ed25519","kid":"{kid}"}}"#));
        assert_eq!(we_accept(&theirs, typ, key.public()), Err(TokenError::Header));
        // It is the order alone: josekit, to which the order is nothing, takes the token.
        let checker = Checker::of(key.public());
        assert!(JwsContext::new().deserialize_compact(&theirs, &checker).is_ok());
    }
}

#[test]
fn a_payload_in_the_order_of_a_serde_json_map_is_refused() {
    let world = World::new();
    for (token, typ, key) in world.tokens() {
        let mut members: josekit::Map<String, Value> = serde_json::from_slice(&payload(token)).unwrap();
        let (first, value) = members.iter().next().map(|(k, v)| (k.clone(), v.clone())).unwrap();
        members.shift_remove(&first);
        members.insert(first, value);
        let mut header = JwsHeader::new();
        header.set_algorithm("Ed25519");
        header.set_key_id(key.public().thumbprint().as_str());
        header.set_token_type(typ);
        let theirs = JwsContext::new()
            .serialize_compact(&serde_json::to_vec(&members).unwrap(), &header, &Signer(Arc::clone(key)))
            .unwrap();
        assert_eq!(we_accept(&theirs, typ, key.public()), Err(TokenError::NotCanonical));
    }
}

// From here on: why josekit stays out of attest-core. A failure means that a release has changed something: look whether
// the wrapping in attest-cli/src/jose.rs can become thinner.

#[test]
fn trap_its_eddsa_verifier_takes_a_key_of_small_order_under_which_one_signature_fits_all() {
    // The neutral element as key and as R, and S = 0.
    let neutral: [u8; 32] = std::array::from_fn(|i| u8::from(i == 0));
    let signature: [u8; 64] = std::array::from_fn(|i| u8::from(i == 0));
    let verifier = EdDSA.verifier_from_jwk(&public(&neutral)).unwrap();
    for message in ["pay alice", "pay mallory"] {
        verifier.verify(message.as_bytes(), &signature).unwrap();
        let input = format!("{}.{}", b64::encode(r#"{"alg":"EdDSA"}"#), b64::encode(message));
        let token = format!("{input}.{}", b64::encode(signature));
        let (seen, _) = JwsContext::new().deserialize_compact(token, &verifier).unwrap();
        assert_eq!(seen, message.as_bytes());
    }
    assert_eq!(PublicKey::from_bytes(&neutral), Err(KeyError::Weak));
    let strict = ed25519_dalek::VerifyingKey::from_bytes(&neutral).unwrap();
    let signature = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(strict.verify_strict(b"pay mallory", &signature).is_err());
}

#[test]
fn trap_a_debug_print_of_a_jwk_shows_the_private_key() {
    let key = MemoryKey::from_seed(&[1; 32]);
    let print = format!("{:?}", private(&[1; 32], key.public().as_bytes()));
    assert!(print.contains(&b64::encode([1; 32])));
    assert!(!format!("{key:?}").contains(&b64::encode([1; 32])));
}

#[test]
fn trap_it_takes_a_private_key_whose_public_part_is_another_keys() {
    let other = MemoryKey::from_seed(&[2; 32]);
    let mixed = private(&[1; 32], other.public().as_bytes());
    let signature = EdDSA.signer_from_jwk(&mixed).unwrap().sign(b"m").unwrap();
    // And the same JWK, private as it is, passes as a verifier; of the other key.
    assert!(EdDSA.verifier_from_jwk(&mixed).unwrap().verify(b"m", &signature).is_err());
}

#[test]
fn trap_of_two_members_of_one_name_it_keeps_the_last() {
    let jwk = Jwk::from_bytes(r#"{"kty":"OKP","crv":"Ed25519","x":"AA","x":"AQ"}"#).unwrap();
    assert_eq!(jwk.parameter("x"), Some(&Value::from("AQ")));
}

#[test]
fn trap_its_own_verifier_refuses_the_algorithm_that_rfc_9864_names() {
    let world = World::new();
    let verifier = EdDSA.verifier_from_jwk(&public(world.agent.public().as_bytes())).unwrap();
    assert!(JwsContext::new().deserialize_compact(&world.proof, &verifier).is_err());
    let mut jwk = public(world.agent.public().as_bytes());
    jwk.set_algorithm("Ed25519");
    assert!(EdDSA.verifier_from_jwk(&jwk).is_err());
}

#[test]
fn trap_in_json_form_it_ignores_crit_and_gives_out_unsigned_header_members() {
    let key = Arc::new(MemoryKey::from_seed(&[1; 32]));
    let mut header = JwsHeaderSet::new();
    header.set_critical(&vec!["must-understand"]);
    header.set_algorithm("Ed25519", true);
    let signer = Signer(Arc::clone(&key));
    let json = JwsContext::new().serialize_flattened_json(b"{}", &header, &signer).unwrap();
    let json = json.replacen('{', r#"{"header":{"typ":"never signed"},"#, 1);
    let (_, seen) = JwsContext::new().deserialize_json(&json, &Checker::of(key.public())).unwrap();
    assert_eq!(seen.token_type(), Some("never signed"));
    assert_eq!(seen.critical(), Some(vec!["must-understand"]));
}

/// A JWE under a passphrase, its parts changed by `change`, and what josekit makes of it.
fn opened(change: impl FnOnce(&mut [String])) -> Result<Vec<u8>, JoseError> {
    let mut header = JweHeader::new();
    header.set_content_encryption("A256GCM");
    let sealed = jwe::serialize_compact(b"secret", &header, &PBES2_HS512_A256KW.encrypter_from_bytes("p").unwrap());
    let mut parts: Vec<String> = sealed.unwrap().split('.').map(str::to_owned).collect();
    change(&mut parts);
    let decrypter = PBES2_HS512_A256KW.decrypter_from_bytes("p").unwrap();
    jwe::deserialize_compact(&parts.join("."), &decrypter).map(|(content, _)| content)
}

#[test]
fn trap_it_opens_a_jwe_whose_gcm_tag_was_cut_down_to_one_byte() {
    let one_byte = |parts: &mut [String]| {
        let tag = b64::decode(&parts[4]).unwrap();
        parts[4] = b64::encode(&tag[..1]);
    };
    assert_eq!(opened(one_byte).unwrap(), b"secret");
}

#[test]
fn trap_an_encrypted_key_of_fewer_than_eight_bytes_makes_it_panic() {
    assert!(catch_unwind(|| opened(|parts| parts[1] = b64::encode([0; 7]))).is_err());
}
