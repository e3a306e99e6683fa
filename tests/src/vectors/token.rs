//! A raw writer of compact tokens: every step of the making can be done wrong on purpose.
//!
//! attest-core's own writer makes good tokens only. Each hook here stands at one step, and whatever comes after that step
//! is done right, so that a token with an odd header still bears a valid signature over that very header.

use std::collections::BTreeMap;

use attest_core::b64 as strict;
use attest_core::digest::Digest;
use attest_core::json;
use attest_core::sign::{MemoryKey, Sign};
use serde_json::Value;

/// A key is named by the byte that its seed is made of.
pub type Seed = u8;

/// The key of a seed.
pub fn key(seed: Seed) -> MemoryKey {
    MemoryKey::from_seed(&[seed; 32])
}

/// Thumbprint of a seed's key.
pub fn thumbprint(seed: Seed) -> String {
    key(seed).public().thumbprint().to_string()
}

/// The JWK of a seed's key.
pub fn jwk(seed: Seed) -> Value {
    serde_json::json!({"crv": "Ed25519", "kty": "OKP", "x": key(seed).public().x()})
}

/// Unpadded base64url.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    strict::encode(bytes)
}

/// base64url of SHA-256.
pub fn hash(bytes: impl AsRef<[u8]>) -> String {
    Digest::of(bytes).to_b64()
}

/// Canonical bytes of a value that this generator made.
pub fn canonical(value: &Value) -> Vec<u8> {
    let text = serde_json::to_vec(value).unwrap();
    json::parse(&text).expect("the generator writes strict JSON").to_canonical()
}

/// A value as text, its members ascending whatever order a map of serde_json keeps: numbers stay as they are written.
pub fn text(value: &Value) -> String {
    sorted(value).to_string()
}

/// The value with the members of its objects ascending.
pub fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let members: BTreeMap<&String, Value> = members.iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), value)).collect())
        }
        other => other.clone(),
    }
}

/// `text` with `from`, which must stand there exactly once, replaced.
pub fn swap(text: impl AsRef<[u8]>, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Vec<u8> {
    let (text, from) = (text.as_ref(), from.as_ref());
    let places: Vec<_> = text.windows(from.len()).enumerate().filter(|(_, w)| *w == from).collect();
    let [(at, _)] = places[..] else {
        panic!("{:?} stands {} times in the text", String::from_utf8_lossy(from), places.len());
    };
    [&text[..at], to.as_ref(), &text[at + from.len()..]].concat()
}

/// The last character with the lowest of its unused bits set: other text, which a lenient decoder reads as the same bytes.
pub fn stray_bit(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert!(!part.len().is_multiple_of(4), "this part has no unused bits");
    let last = *part.as_bytes().last().unwrap();
    let value = ALPHABET.iter().position(|c| *c == last).unwrap();
    format!("{}{}", &part[..part.len() - 1], char::from(ALPHABET[value + 1]))
}

/// One token in the making.
#[derive(Clone)]
pub struct Token {
    /// Whose `kid` stands in the header.
    pub kid: Seed,
    /// Who signs.
    pub by: Seed,
    /// The header's `typ`.
    pub typ: &'static str,
    /// The claims; a `null` in a place that is computed is filled in.
    pub claims: Value,
    /// Makes the header of `kid` and `typ`.
    pub header: fn(&str, &str) -> String,
    /// Changes the payload's canonical bytes.
    pub payload: fn(Vec<u8>) -> Vec<u8>,
    /// Changes header and payload after their encoding and before the signature.
    pub input: fn(String) -> String,
    /// Signs the input.
    pub signature: fn(Seed, &[u8]) -> Vec<u8>,
    /// Changes the finished text.
    pub text: fn(String) -> String,
}

impl Token {
    /// A token with nothing wrong.
    pub fn new(typ: &'static str, by: Seed, claims: Value) -> Self {
        Self {
            kid: by,
            by,
            typ,
            claims,
            header: |kid, typ| format!(r#"{{"alg":"Ed25519","kid":"{kid}","typ":"{typ}"}}"#),
            payload: |payload| payload,
            input: |input| input,
            signature: |by, input| key(by).sign(input).unwrap().to_vec(),
            text: |text| text,
        }
    }

    /// What is signed.
    pub fn signing_input(&self) -> String {
        let header = (self.header)(&thumbprint(self.kid), self.typ);
        let payload = (self.payload)(canonical(&self.claims));
        (self.input)(format!("{}.{}", b64(header), b64(payload)))
    }

    /// The compact text.
    pub fn compact(&self) -> String {
        let input = self.signing_input();
        let signature = (self.signature)(self.by, input.as_bytes());
        (self.text)(format!("{input}.{}", b64(signature)))
    }
}

/// Signature hook: one bit is wrong.
pub fn flipped(by: Seed, input: &[u8]) -> Vec<u8> {
    let mut signature = key(by).sign(input).unwrap().to_vec();
    signature[10] ^= 1;
    signature
}
