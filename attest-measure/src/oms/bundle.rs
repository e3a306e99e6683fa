//! The bundle and the envelope in it: whose signature, over which bytes.

use attest_core::json::{self, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::{OmsError, shortened};
use super::key::PublisherKey;
use super::{MAX_BUNDLE, MEDIA_TYPE, PAYLOAD_TYPE, pae};

/// The payload, once its signature by the pinned key has verified.
pub(super) fn payload(bundle: &[u8], key: &PublisherKey) -> Result<Vec<u8>, OmsError> {
    if bundle.len() as u64 > MAX_BUNDLE {
        return Err(OmsError::TooLarge);
    }
    let value = json::parse(bundle).map_err(OmsError::Json)?;
    says(text(&value, &["mediaType"], "mediaType")?, "mediaType", MEDIA_TYPE)?;
    named(&value, key)?;
    let at = |name| ["dsseEnvelope", name];
    says(text(&value, &at("payloadType"), "payloadType")?, "payloadType", PAYLOAD_TYPE)?;
    let signatures = find(&value, &at("signatures")).and_then(Value::as_array).ok_or(OmsError::Member("signatures"))?;
    let [signature] = signatures else {
        return Err(OmsError::Signatures(signatures.len()));
    };
    let signature = base64(text(signature, &["sig"], "sig")?, "the signature")?;
    let payload = base64(text(&value, &at("payload"), "payload")?, "the payload")?;
    if !key.verifies(&pae(&payload), &signature) {
        return Err(OmsError::Signature);
    }
    Ok(payload)
}

/// The bundle's own word on who signed it gives no trust, only a better message: one that names another key is refused
/// before any mathematics, and one that names none, as older tools wrote them, is tried.
fn named(bundle: &Value<'_>, key: &PublisherKey) -> Result<(), OmsError> {
    let material = "verificationMaterial";
    find(bundle, &[material]).and_then(Value::as_object).ok_or(OmsError::Member(material))?;
    let public = find(bundle, &[material, "publicKey"]).ok_or(OmsError::NoKey)?;
    let public = public.as_object().ok_or(OmsError::Member("publicKey"))?;
    match public.get("hint") {
        None | Some(Value::Null) => Ok(()),
        Some(hint) => match hint.as_str().ok_or(OmsError::Member("hint"))? {
            hint if hint.is_empty() || hint == key.hint() => Ok(()),
            hint => Err(OmsError::OtherKey { found: shortened(hint), pinned: key.hint().to_owned() }),
        },
    }
}

/// The member that is reached by these names, one inside the other.
pub(super) fn find<'v, 'a>(value: &'v Value<'a>, path: &[&str]) -> Option<&'v Value<'a>> {
    path.iter().try_fold(value, |value, name| value.as_object()?.get(name))
}

/// The string there.
pub(super) fn text<'v>(value: &'v Value<'_>, path: &[&str], member: &'static str) -> Result<&'v str, OmsError> {
    find(value, path).and_then(Value::as_str).ok_or(OmsError::Member(member))
}

/// Whether a member says what it must.
pub(super) fn says(found: &str, member: &'static str, expected: &'static str) -> Result<(), OmsError> {
    if found == expected {
        return Ok(());
    }
    Err(OmsError::Other { member, found: shortened(found), expected })
}

fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, OmsError> {
    STANDARD.decode(text).map_err(|_| OmsError::Base64(what))
}
