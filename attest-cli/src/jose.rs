//! JOSE files, by way of josekit: JWK sets (RFC 7517, section 5) and private keys as encrypted JWKs (section 7).
//!
//! josekit reads, writes and encrypts; it decides nothing. Of two members of one name it keeps the last; it takes a `d`
//! and an `x` that do not belong together; it accepts a GCM tag cut down to one byte, and content that inflates; it
//! panics on an encrypted key of fewer than eight bytes. So a text passes our strict reader first, every field of an
//! envelope is checked before josekit gets it, and what comes out is read like any key file, by [`SecretKey::parse`].
//!
//! josekit wipes nothing: copies of the passphrase and of the key stay in freed memory until the process ends. A verb
//! that comes here ends soon after; a process that serves must not come here.
use std::path::{Path, PathBuf};

use attest_core::b64;
use attest_core::json::{self, JsonError};
use attest_core::jwk::{PublicKey, Thumbprint};
use attest_core::sign::Sign as _;
use attest_keys::{FormatError, KeyError, PRIVATE_MODE, PUBLIC_MODE, SecretKey, create_file, parse_public};
use josekit::jwe::alg::pbes2_hmac_aeskw::Pbes2HmacAeskwJweAlgorithm as Pbes2;
use josekit::jwe::{self, JweHeader};
use josekit::jwk::{Jwk, JwkSet};
use zeroize::Zeroizing;

/// PBKDF2 rounds of what we write. OWASP asks 210,000 of SHA-512; this is also what `step` writes.
const ITERATIONS: usize = 600_000;
/// Fewest rounds that are read (RFC 7518, section 4.8.1.2). A file of few rounds is weak, but reading it harms nobody.
const MIN_ITERATIONS: u64 = 1_000;
/// Most rounds that are read, some half a second of work. josekit refuses more by itself.
const MAX_ITERATIONS: u64 = 1_000_000;
/// Bytes of salt in what we write (RFC 7518, section 4.8.1.1, asks for 8 at least).
const SALT: usize = 16;
/// Longest envelope, in bytes, as for any key file.
const MAX_TEXT: usize = 8 * 1024;
/// The one content encryption, and what follows from it in bytes: a key of 32 wrapped into 40 (RFC 3394), IV, tag.
const ENC: &str = "A256GCM";
const WRAPPED: usize = 40;
const IV: usize = 12;
const TAG: usize = 16;

/// Why a text is not the keys that it should be, or a key cannot be sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JoseError {
    #[error("not strict JSON: {0}")]
    Json(JsonError),
    #[error("not a JWK set: an object whose member \"keys\" lists JWKs, each with a kty (RFC 7517, section 5)")]
    NotASet,
    #[error("the set has no key with the kid {kid:?}; its kids are {known:?}")]
    NoSuchKid { kid: String, known: Vec<String> },
    #[error("the set has {count} keys with the kid {kid:?}; take the others out, a kid must name one key")]
    AmbiguousKid { kid: String, count: usize },
    #[error("the set has {count} keys, and which one is meant is not said; name it by its kid, one of {known:?}")]
    KidNeeded { count: usize, known: Vec<String> },
    #[error("the key {0} is in the list twice; a set names each key once")]
    Repeated(Thumbprint),
    #[error("{0}")]
    Key(FormatError),
    #[error("an empty passphrase protects nothing; give one")]
    NoPassphrase,
    #[error(
        "not an encrypted key in the compact form of JWE (five parts of base64url with dots between, at most 8 KiB); \
         a JWE in JSON form has to be converted first"
    )]
    Envelope,
    #[error(
        "the JWE header member {0:?} is missing or not ours to read; wanted are alg PBES2-HS256+A128KW or \
         PBES2-HS512+A256KW, enc A256GCM, cty \"jwk+json\", p2s, p2c, and at most typ and kid besides"
    )]
    Header(&'static str),
    #[error("the JWE header has a member that we do not know; it could change the meaning of the rest")]
    HeaderUnknown,
    #[error("the key derivation takes {0} rounds; from {MIN_ITERATIONS} to {MAX_ITERATIONS} are accepted")]
    Iterations(u64),
    #[error("the passphrase does not open it, or the file was changed")]
    Passphrase,
    #[error("the passphrase opens it, but inside is no private Ed25519 JWK: {0}")]
    Content(FormatError),
    #[error("OpenSSL refused to encrypt the key; nothing was written")]
    OpenSsl,
}

/// Why a file of these cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoseFileError {
    #[error(transparent)]
    File(#[from] KeyError),
    #[error("{path}: {error}")]
    Content { path: PathBuf, error: JoseError },
}

/// The private Ed25519 key of a JWK set that bears `kid`; without a `kid`, the only key that there is.
pub(crate) fn import_private(text: &[u8], kid: Option<&str>) -> Result<SecretKey, JoseError> {
    json::parse(text).map_err(JoseError::Json)?;
    // Strict by now, so both readers see one document; josekit adds that each key has a kty and well-formed parts.
    let set = JwkSet::from_bytes(text).map_err(|_| JoseError::NotASet)?;
    let found = match kid {
        Some(kid) => set.get(kid),
        None => set.keys(),
    };
    let [jwk] = *found.as_slice() else {
        return Err(not_one(&set, kid, found.len()));
    };
    // The kid has done its work; written again, its escapes would only be refused.
    let mut jwk = jwk.clone();
    jwk.set_parameter("kid", None).map_err(|_| JoseError::NotASet)?;
    let text = Zeroizing::new(jwk.to_string());
    SecretKey::parse(text.as_bytes()).map_err(JoseError::Key)
}

fn not_one(set: &JwkSet, kid: Option<&str>, count: usize) -> JoseError {
    let known = || set.keys().iter().filter_map(|k| k.key_id().map(str::to_owned)).collect();
    match kid.map(str::to_owned) {
        None => JoseError::KidNeeded { count, known: known() },
        Some(kid) if count == 0 => JoseError::NoSuchKid { kid, known: known() },
        Some(kid) => JoseError::AmbiguousKid { kid, count },
    }
}

/// [`import_private`] from a file that is checked like a private key file: 0600, ours, no link, at most 8 KiB.
pub(crate) fn read_set(path: &Path, kid: Option<&str>) -> Result<SecretKey, JoseFileError> {
    read_private(path, |text| import_private(text, kid))
}

/// Public keys as a JWK set, one line, each with its thumbprint as `kid` and `use` "sig". No `alg`: our tokens say
/// "Ed25519" (RFC 9864), which many readers of sets do not know yet.
pub(crate) fn export_public(keys: &[PublicKey]) -> Result<String, JoseError> {
    let mut set = JwkSet::new();
    for key in keys {
        let kid = key.thumbprint();
        if !set.get(kid.as_str()).is_empty() {
            return Err(JoseError::Repeated(kid.clone()));
        }
        let mut jwk = Jwk::new("OKP");
        jwk.set_curve("Ed25519");
        jwk.set_key_use("sig");
        jwk.set_key_id(kid.as_str());
        jwk.set_parameter("x", Some(key.x().into())).map_err(|_| JoseError::Key(FormatError::JwkMember("x")))?;
        // What others will enrol is what we would enrol.
        if parse_public(jwk.to_string().as_bytes()).map_err(JoseError::Key)? != *key {
            return Err(JoseError::Key(FormatError::Mismatch));
        }
        set.push_key(jwk);
    }
    Ok(format!("{set}\n"))
}

/// [`export_public`] into a new file of mode 0644.
pub(crate) fn write_set(path: &Path, keys: &[PublicKey]) -> Result<(), JoseFileError> {
    let text = export_public(keys).map_err(|error| content(path, error))?;
    Ok(create_file(path, text.as_bytes(), PUBLIC_MODE)?)
}

/// The private key as an encrypted JWK in compact form: PBES2-HS512+A256KW with A256GCM, one line.
pub(crate) fn seal(key: &SecretKey, passphrase: &[u8]) -> Result<String, JoseError> {
    seal_with(key, passphrase, Pbes2::Pbes2Hs512A256kw, ITERATIONS)
}

fn seal_with(key: &SecretKey, passphrase: &[u8], alg: Pbes2, iterations: usize) -> Result<String, JoseError> {
    if passphrase.is_empty() {
        return Err(JoseError::NoPassphrase);
    }
    let mut encrypter = alg.encrypter_from_bytes(passphrase).map_err(|_| JoseError::NoPassphrase)?;
    encrypter.set_salt_len(SALT);
    encrypter.set_iter_count(iterations);
    let mut header = JweHeader::new();
    header.set_content_encryption(ENC);
    header.set_content_type("jwk+json");
    let jwk = private_jwk(key)?;
    let mut text = jwe::serialize_compact(jwk.as_bytes(), &header, &encrypter).map_err(|_| JoseError::OpenSsl)?;
    text.push('\n');
    Ok(text)
}

/// The plain JWK, wiped when dropped, read once before anything is made of it.
fn private_jwk(key: &SecretKey) -> Result<Zeroizing<String>, JoseError> {
    // Reserved in one piece: a string that grows leaves its earlier copies unwiped.
    let mut text = Zeroizing::new(String::with_capacity(160));
    text.push_str(r#"{"crv":"Ed25519","d":""#);
    key.with_der(|der| der.last_chunk::<32>().map(|seed| b64::encode_into(seed, &mut text)));
    text.push_str(r#"","kty":"OKP","x":""#);
    text.push_str(&key.public().x());
    text.push_str("\"}");
    // A wrong seed here would lock its owner out for good.
    match SecretKey::parse(text.as_bytes()) {
        Ok(again) if again.public() == key.public() => Ok(text),
        Ok(_) => Err(JoseError::Key(FormatError::Mismatch)),
        Err(error) => Err(JoseError::Key(error)),
    }
}

/// Opens what [`seal`] wrote, or another tool under the same algorithms.
pub(crate) fn open(text: &[u8], passphrase: &[u8]) -> Result<SecretKey, JoseError> {
    if passphrase.is_empty() {
        return Err(JoseError::NoPassphrase);
    }
    let text = str::from_utf8(text.trim_ascii()).map_err(|_| JoseError::Envelope)?;
    let decrypter = envelope(text)?.decrypter_from_bytes(passphrase).map_err(|_| JoseError::NoPassphrase)?;
    let (content, _) = jwe::deserialize_compact(text, &decrypter).map_err(|_| JoseError::Passphrase)?;
    let content = Zeroizing::new(content);
    if content.trim_ascii_start().first() != Some(&b'{') {
        return Err(JoseError::Content(FormatError::Unrecognised));
    }
    SecretKey::parse(&content).map_err(JoseError::Content)
}

/// Checks everything about an envelope that can be checked without the passphrase.
fn envelope(text: &str) -> Result<Pbes2, JoseError> {
    if text.len() > MAX_TEXT {
        return Err(JoseError::Envelope);
    }
    let mut parts = text.split('.');
    let mut part = || parts.next().ok_or(JoseError::Envelope);
    let (header, wrapped, iv, sealed, tag) = (part()?, part()?, part()?, part()?, part()?);
    let fits = parts.next().is_none()
        && b64::decode_exact::<WRAPPED>(wrapped).is_some()
        && b64::decode_exact::<IV>(iv).is_some()
        && b64::decode(sealed).is_some()
        // GCM with a shorter tag can be forged, and OpenSSL checks as much of a tag as it is given.
        && b64::decode_exact::<TAG>(tag).is_some();
    match b64::decode(header) {
        Some(header) if fits => algorithm(&header),
        _ => Err(JoseError::Envelope),
    }
}

/// Exactly the members that we know. Among those refused are `zip` (content that inflates) and `crit`.
fn algorithm(header: &[u8]) -> Result<Pbes2, JoseError> {
    let value = json::parse(header).map_err(JoseError::Json)?;
    let members = value.as_object().ok_or(JoseError::Envelope)?;
    let text = |name| members.get(name).and_then(json::Value::as_str);
    let alg = match text("alg") {
        Some("PBES2-HS256+A128KW") => Pbes2::Pbes2Hs256A128kw,
        Some("PBES2-HS512+A256KW") => Pbes2::Pbes2Hs512A256kw,
        _ => return Err(JoseError::Header("alg")),
    };
    for (name, value) in members.iter() {
        let (name, fine) = match name {
            "alg" | "enc" | "cty" | "p2c" | "p2s" => continue,
            // The object is a JWE (RFC 7516, section 4.1.11), or is named after its content.
            "typ" => ("typ", matches!(value.as_str(), Some("JOSE" | "jwk+json"))),
            "kid" => ("kid", value.as_str().is_some()),
            _ => return Err(JoseError::HeaderUnknown),
        };
        is(name, fine)?;
    }
    is("enc", text("enc") == Some(ENC))?;
    is("cty", matches!(text("cty"), Some("jwk+json" | "application/jwk+json")))?;
    is("p2s", text("p2s").and_then(b64::decode).is_some_and(|salt| salt.len() >= 8))?;
    let rounds = members.get("p2c").and_then(json::Value::as_u53);
    let rounds = rounds.ok_or(JoseError::Header("p2c"))?;
    if (MIN_ITERATIONS..=MAX_ITERATIONS).contains(&rounds) { Ok(alg) } else { Err(JoseError::Iterations(rounds)) }
}

fn is(name: &'static str, fine: bool) -> Result<(), JoseError> {
    if fine { Ok(()) } else { Err(JoseError::Header(name)) }
}

/// [`seal`] into a new file of mode 0600. Never overwrites.
pub(crate) fn write_sealed(path: &Path, key: &SecretKey, passphrase: &[u8]) -> Result<(), JoseFileError> {
    let text = seal(key, passphrase).map_err(|error| content(path, error))?;
    Ok(create_file(path, text.as_bytes(), PRIVATE_MODE)?)
}

/// [`open`] from a file that is checked like a private key file.
pub(crate) fn read_sealed(path: &Path, passphrase: &[u8]) -> Result<SecretKey, JoseFileError> {
    read_private(path, |text| open(text, passphrase))
}

fn read_private(
    path: &Path,
    parse: impl FnOnce(&[u8]) -> Result<SecretKey, JoseError>,
) -> Result<SecretKey, JoseFileError> {
    // The key crate's reader knows its own errors only; ours takes the way around it.
    let mut ours = None;
    let read = SecretKey::from_file(path, |text| {
        parse(text).map_err(|error| {
            ours = Some(error);
            FormatError::Unrecognised
        })
    });
    match (read, ours) {
        (Ok(key), _) => Ok(key),
        (Err(_), Some(error)) => Err(content(path, error)),
        (Err(error), None) => Err(error.into()),
    }
}

fn content(path: &Path, error: JoseError) -> JoseFileError {
    JoseFileError::Content { path: path.into(), error }
}

#[cfg(test)]
#[path = "jose_tests.rs"]
mod tests;
