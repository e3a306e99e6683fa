//! A machine's word on an attestation: a TPM 2.0 quote over its claims. `spec/platform.md`.
//!
//! Checked without a TPM library. The reader knows the seven fields of a quote and nothing else: `tpm2-protocol`, which reads all of
//! TPM 2.0, is ten thousand lines with casts that Rust does not check, and most of what is asked here of a quote would still have to be
//! asked of its result. It is the oracle in the tests.

use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde::Serialize;

use crate::b64;
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::json::Value;

/// The one format that is read.
pub const FORMAT: &str = "tpm2-quote/1";

/// `TPM_GENERATED_VALUE`: a restricted key signs nothing that begins with it but what its TPM made (TPM 2.0 part 1, 31.5).
const MAGIC: [u8; 4] = [0xff, b'T', b'C', b'G'];
/// `TPM_ST_ATTEST_QUOTE`.
const QUOTE: [u8; 2] = [0x80, 0x18];
/// Longest name of a key: the hash function's id and a SHA-512.
const MAX_NAME: usize = 66;
/// One selection: of the bank of SHA-256, in three bytes, PCR 0 to 7.
const SELECTION: [u8; 10] = [0, 0, 0, 1, 0x00, 0x0b, 3, 0xff, 0x00, 0x00];

/// What a quote says, as far as anything is made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote {
    /// What the TPM was asked to quote over (`extraData`).
    pub over: Digest,
    /// SHA-256 over the values of PCR 0 to 7.
    pub pcrs: Digest,
}

impl Quote {
    /// Reads a `TPMS_ATTEST` that is a quote of the one form of `spec/platform.md`, to its last byte.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = Reader(bytes);
        rest.exactly(MAGIC)?;
        rest.exactly(QUOTE)?;
        let signer = rest.length()?;
        rest.take(Some(signer).filter(|length| *length <= MAX_NAME)?)?;
        rest.exactly([0, 32])?;
        let over = Digest(rest.array()?);
        // Clock, and counts of resets and restarts: they say nothing that the binding does not.
        rest.take(16)?;
        (rest.array::<1>()? <= [1]).then_some(())?;
        // Version of the firmware, which is the vendor's to number.
        rest.take(8)?;
        rest.exactly(SELECTION)?;
        rest.exactly([0, 32])?;
        let pcrs = Digest(rest.array()?);
        rest.0.is_empty().then_some(Self { over, pcrs })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn exactly<const N: usize>(&mut self, expected: [u8; N]) -> Option<()> {
        (self.array()? == expected).then_some(())
    }

    fn length(&mut self) -> Option<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }
}

/// The `submods.platform` of an attestation. What stands in it is well-formed; whether it is true is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    key: Digest,
    bytes: Vec<u8>,
    quote: Quote,
    signature: [u8; 64],
}

impl Platform {
    /// A quote by the key of this thumbprint; `None` where the bytes are not of the one form.
    pub fn new(key: Digest, quote: Vec<u8>, signature: [u8; 64]) -> Option<Self> {
        Some(Self { key, quote: Quote::read(&quote)?, bytes: quote, signature })
    }

    /// Thumbprint of the key that it names.
    pub fn key(&self) -> Digest {
        self.key
    }

    /// What the quote says, if it is believed.
    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// Whether the quote is signed by this key.
    pub fn is_by(&self, key: &PlatformKey) -> bool {
        Signature::from_slice(&self.signature).is_ok_and(|signature| key.key.verify(&self.bytes, &signature).is_ok())
    }

    /// Reads the value of the claim `submods`.
    pub(crate) fn read(value: &Value<'_>) -> Result<Self, ClaimsError> {
        const WRONG: ClaimsError = ClaimsError::Invalid("submods");
        let mut submods = Claims::of(value).map_err(|_| WRONG)?;
        let platform = submods.object("platform", |platform| {
            if platform.text("format")? != FORMAT {
                return Err(WRONG);
            }
            let key = platform.digest("ak")?;
            let quote = b64::decode(platform.text("quote")?).ok_or(WRONG)?;
            let signature = b64::decode_exact(platform.text("sig")?).ok_or(WRONG)?;
            Self::new(key, quote, signature).ok_or(WRONG)
        })?;
        submods.finish()?;
        Ok(platform)
    }

    pub(crate) fn to_wire(&self) -> Submods {
        let platform = Wire {
            ak: self.key.to_b64(),
            format: FORMAT,
            quote: b64::encode(&self.bytes),
            sig: b64::encode(self.signature),
        };
        Submods { platform }
    }
}

#[derive(Serialize)]
pub(crate) struct Submods {
    platform: Wire,
}

#[derive(Serialize)]
struct Wire {
    ak: String,
    format: &'static str,
    quote: String,
    sig: String,
}

/// A TPM's attestation key: restricted, signing, of P-256.
///
/// Trust sentence: nothing here shows that a key is in a TPM. Its operator looked when it was pinned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlatformKey {
    key: VerifyingKey,
    thumbprint: Digest,
}

impl PlatformKey {
    /// From the two coordinates; `None` where they are no point of the curve.
    pub fn new(x: &[u8; 32], y: &[u8; 32]) -> Option<Self> {
        let point = p256::Sec1Point::from_affine_coordinates(x.into(), y.into(), false);
        let key = VerifyingKey::from_sec1_point(&point).ok()?;
        Some(Self { key, thumbprint: Digest::of(Self::jwk(x, y)) })
    }

    /// From a JWK of exactly `crv`, `kty`, `x` and `y`.
    pub fn from_jwk(value: &Value<'_>) -> Option<Self> {
        let mut jwk = Claims::of(value).ok()?;
        (jwk.text("crv").ok()? == "P-256" && jwk.text("kty").ok()? == "EC").then_some(())?;
        let mut coordinate = |name| b64::decode_exact(jwk.text(name).ok()?);
        let (x, y) = (coordinate("x")?, coordinate("y")?);
        jwk.finish().ok()?;
        Self::new(&x, &y)
    }

    /// RFC 7638.
    pub fn thumbprint(&self) -> Digest {
        self.thumbprint
    }

    /// As an uncompressed point (SEC 1, section 2.3.3).
    pub fn to_sec1(&self) -> [u8; 65] {
        self.key.to_sec1_point(false).as_bytes().try_into().unwrap_or([0; 65])
    }

    /// The members that RFC 7638 requires of such a key, in their order.
    fn jwk(x: &[u8; 32], y: &[u8; 32]) -> String {
        format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, b64::encode(x), b64::encode(y))
    }
}

#[cfg(test)]
mod tests;
