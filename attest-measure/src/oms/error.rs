//! Why a bundle is refused.

use attest_core::json::JsonError;

use super::{FILES, PREDICATE_TYPE, SHA256};

/// Why a bundle endorses nothing, or a key is not one that could have signed it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OmsError {
    /// More bytes than a bundle may have.
    #[error("larger than {} bytes; no list of a model's files is", super::MAX_BUNDLE)]
    TooLarge,
    /// The bundle is not strict JSON; one that is cut short, for instance.
    #[error("the bundle is not strict JSON: {0}")]
    Json(JsonError),
    /// The bundle's payload is not strict JSON.
    #[error("the bundle's payload is not strict JSON: {0}")]
    Payload(JsonError),
    /// A member is missing or has another type than it must have.
    #[error("{0} is missing, or not of the form that a bundle has")]
    Member(&'static str),
    /// A member says that this is something else.
    #[error("{member} is {found:?}; only {expected:?} is read here")]
    Other {
        /// Which member.
        member: &'static str,
        /// What it says, shortened.
        found: String,
        /// What it would have to say.
        expected: &'static str,
    },
    /// Signed with a certificate or without a key of one's own.
    #[error(
        "signed by a certificate or by an identity, not by a key; only bundles of `model_signing sign key` are read"
    )]
    NoKey,
    /// The bundle says that another key signed it.
    #[error("signed with another key: the bundle names the key {found:?}, the pinned one is {pinned:?}")]
    OtherKey {
        /// The bundle's hint, shortened.
        found: String,
        /// The hint of the pinned key.
        pinned: String,
    },
    /// No signature, or several.
    #[error("it bears {0} signatures; there must be exactly one")]
    Signatures(usize),
    /// Payload or signature is not base64.
    #[error("{0} is not base64")]
    Base64(&'static str),
    /// The signature does not verify.
    #[error("the signature is not one by the pinned key over this payload")]
    Signature,
    /// The files were hashed in pieces or with another hash.
    #[error(
        "{member} is {found:?}; only method {FILES:?} with {SHA256:?} can be compared with a manifest: \
         sign with the tool's defaults"
    )]
    Serialization {
        /// Which member.
        member: &'static str,
        /// What it says, shortened.
        found: String,
    },
    /// The older statement, from before 1.0, whose subjects are the files.
    #[error("predicateType is of model_signing before 1.0; sign again with a newer one ({PREDICATE_TYPE})")]
    Old,
    /// A resource whose name is no path below the model.
    #[error("the resource {0:?} is no plain path below the model")]
    Name(String),
    /// Two resources of one name.
    #[error("the resource {0:?} is there twice")]
    Twice(String),
    /// A digest that is not 64 lower-case hexadecimal digits.
    #[error("the digest of {0:?} is not 64 lower-case hexadecimal digits")]
    Digest(String),
    /// The list names no file.
    #[error("it lists no file at all")]
    Empty,
    /// The subject's digest is not the one over the list.
    #[error("the subject's digest is not the one over its own list of files")]
    Subject,
    /// Not a PEM block of a public key.
    #[error("not a public key in PEM (-----BEGIN PUBLIC KEY-----)")]
    KeyPem,
    /// A private key, a certificate, or something else in PEM.
    #[error("a {0} where a PUBLIC KEY is expected; `openssl pkey -in KEY -pubout` or `openssl x509 -pubkey` makes one")]
    KeyLabel(String),
    /// A public key of another curve or algorithm.
    #[error("a key of {0}; only P-256 (prime256v1) is verified here")]
    KeyKind(&'static str),
    /// A P-256 key that is no point of the curve, or not in its one encoding.
    #[error("not a valid P-256 public key")]
    KeyPoint,
}

impl OmsError {
    /// The reason code of `spec/endorsement.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyPem | Self::KeyLabel(_) | Self::KeyKind(_) | Self::KeyPoint => "key",
            Self::TooLarge | Self::Json(_) | Self::Other { member: "mediaType", .. } => "bundle",
            Self::Member(_) => "form",
            Self::NoKey | Self::OtherKey { .. } => "other-key",
            Self::Signatures(_) | Self::Base64(_) | Self::Other { member: "payloadType", .. } => "envelope",
            Self::Signature => "signature",
            Self::Payload(_) | Self::Other { .. } | Self::Old => "statement",
            Self::Serialization { .. } => "serialization",
            Self::Name(_) | Self::Twice(_) | Self::Digest(_) | Self::Empty => "resources",
            Self::Subject => "subject",
        }
    }
}

/// The start of a text that somebody else wrote, for a message.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().nth(MOST).is_none() {
        return text.to_owned();
    }
    text.chars().take(MOST).chain(['…']).collect()
}
