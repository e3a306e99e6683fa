//! JSON Web Keys in files (RFC 7517, RFC 8037).
//!
//! A key in a file may carry more than one on the wire: `kid`, `alg`, `use`, `key_ops` and `ext` are understood, so that
//! what other tools write is read. Anything else is refused, because a member that we do not know could restrict the key.

use attest_core::json::{self, Object, Value};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use zeroize::Zeroizing;

use crate::error::FormatError;

/// `{"crv":"Ed25519","d":"…","kty":"OKP","x":"…"}` and a line feed.
const PRIVATE_TEXT: usize = 135;
/// 32 bytes in unpadded base64url.
const B64_LEN: usize = 43;

/// Whether a JWK is wanted for signing or for checking.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Sign,
    Verify,
}

/// Reads a private JWK and hands seed and claimed public key to `then`; the seed is wiped afterwards.
pub(crate) fn private<T>(
    text: &[u8],
    then: impl FnOnce(&[u8; 32], &[u8; 32]) -> Result<T, FormatError>,
) -> Result<T, FormatError> {
    // An escape makes the reader build a copy of the string that nobody wipes; base64url needs none.
    if text.contains(&b'\\') {
        return Err(FormatError::JwkUnknown);
    }
    let value = json::parse(text).map_err(FormatError::Json)?;
    let jwk = members(&value, Use::Sign)?;
    let d = match jwk.get("d") {
        None => return Err(FormatError::PublicWherePrivate),
        Some(d) => d.as_str().ok_or(FormatError::JwkMember("d"))?,
    };
    let mut seed = Zeroizing::new([0; 32]);
    decode(d, &mut seed).ok_or(FormatError::JwkMember("d"))?;
    then(&seed, &x(jwk)?)
}

/// Reads a public JWK: the 32 bytes of `x`, not yet checked to be a key.
pub(crate) fn public(text: &[u8]) -> Result<[u8; 32], FormatError> {
    let value = json::parse(text).map_err(FormatError::Json)?;
    let jwk = members(&value, Use::Verify)?;
    if jwk.get("d").is_some() {
        return Err(FormatError::PrivateWherePublic);
    }
    x(jwk)
}

/// Writes a private JWK and hands it to `then`; it is wiped afterwards.
pub(crate) fn with_private<T>(
    seed: &[u8; 32],
    public: &[u8; 32],
    then: impl FnOnce(&str) -> T,
) -> Result<T, FormatError> {
    let mut d = Zeroizing::new([0u8; B64_LEN]);
    let mut x = [0u8; B64_LEN];
    let d = Base64UrlUnpadded::encode(seed, d.as_mut_slice()).map_err(|_| FormatError::JwkMember("d"))?;
    let x = Base64UrlUnpadded::encode(public, &mut x).map_err(|_| FormatError::JwkMember("x"))?;
    // Reserved in one piece: a string that grows leaves its earlier copies unwiped.
    let mut text = Zeroizing::new(String::with_capacity(PRIVATE_TEXT));
    for part in [r#"{"crv":"Ed25519","d":""#, d, r#"","kty":"OKP","x":""#, x, "\"}\n"] {
        text.push_str(part);
    }
    Ok(then(&text))
}

/// The public JWK, its members in canonical order, one line.
pub(crate) fn write_public(x: &str) -> String {
    format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}\n")
}

/// Checks every member except the values of `x` and `d`.
fn members<'v, 'a>(value: &'v Value<'a>, wanted: Use) -> Result<&'v Object<'a>, FormatError> {
    let jwk = value.as_object().ok_or(FormatError::Unrecognised)?;
    let text = |name| jwk.get(name).and_then(Value::as_str);
    // The kind of key first: for an RSA key this, and not its unknown members, is what a person should hear of.
    match (text("kty"), text("crv")) {
        (Some("OKP"), Some("Ed25519")) => {}
        (None, _) => return Err(FormatError::JwkMember("kty")),
        _ => return Err(FormatError::NotEd25519),
    }
    for (name, value) in jwk.iter() {
        match name {
            "kty" | "crv" | "x" | "d" => {}
            "kid" => is("kid", value.as_str().is_some())?,
            // RFC 9864 names the curve; RFC 8037 and most tools say EdDSA.
            "alg" => is("alg", matches!(value.as_str(), Some("Ed25519" | "EdDSA")))?,
            "use" => is("use", value.as_str() == Some("sig"))?,
            "key_ops" => is("key_ops", value.as_array().is_some_and(|ops| allows(ops, wanted)))?,
            // What WebCrypto exports; it says only that the key may be exported.
            "ext" => is("ext", value.as_bool().is_some())?,
            _ => return Err(FormatError::JwkUnknown),
        }
    }
    Ok(jwk)
}

fn is(name: &'static str, fine: bool) -> Result<(), FormatError> {
    if fine { Ok(()) } else { Err(FormatError::JwkMember(name)) }
}

/// RFC 7517, section 4.3: no operation twice, and the one we need among them.
fn allows(ops: &[Value<'_>], wanted: Use) -> bool {
    let wanted = if wanted == Use::Sign { "sign" } else { "verify" };
    let once = ops.iter().enumerate().all(|(i, op)| op.as_str().is_some() && !ops.iter().skip(i + 1).any(|o| o == op));
    once && ops.iter().any(|op| op.as_str() == Some(wanted))
}

fn x(jwk: &Object<'_>) -> Result<[u8; 32], FormatError> {
    let mut key = [0; 32];
    let text = jwk.get("x").and_then(Value::as_str);
    text.and_then(|x| decode(x, &mut key)).ok_or(FormatError::JwkMember("x"))?;
    Ok(key)
}

/// Exactly 32 bytes in their one spelling, in constant time.
fn decode(text: &str, out: &mut [u8; 32]) -> Option<()> {
    if text.len() != B64_LEN {
        return None;
    }
    Base64UrlUnpadded::decode(text, out.as_mut_slice()).ok().filter(|bytes| bytes.len() == 32).map(|_| ())
}
