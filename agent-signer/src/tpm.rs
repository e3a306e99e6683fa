//! The machine's TPM 2.0: its attestation key, and quotes by it. `spec/platform.md`.
//!
//! A TPM is opened for one quote and closed again: a device without a resource manager serves one program at a time, and a quote is
//! made once in some minutes.

use std::str::FromStr as _;

use attest_core::digest::Digest;
use attest_core::platform::{Platform, PlatformKey};
use tss_esapi::attributes::ObjectAttributesBuilder;
use tss_esapi::constants::CapabilityType;
use tss_esapi::constants::response_code::Tss2ResponseCodeKind as Kind;
use tss_esapi::handles::{KeyHandle, ObjectHandle, PersistentTpmHandle, TpmHandle};
use tss_esapi::interface_types::algorithm::{EccSchemeAlgorithm, HashingAlgorithm, PublicAlgorithm};
use tss_esapi::interface_types::dynamic_handles::Persistent;
use tss_esapi::interface_types::ecc::EccCurve;
use tss_esapi::interface_types::resource_handles::{Hierarchy, Provision};
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{
    CapabilityData, Data, EccParameter, EccPoint, EccScheme, KeyDerivationFunctionScheme, PcrSelectSize,
    PcrSelectionList, PcrSlot, Public, PublicBuilder, PublicEccParametersBuilder, Signature, SignatureScheme,
    SymmetricDefinitionObject,
};
use tss_esapi::traits::Marshall as _;
use tss_esapi::{Context, Error, TctiNameConf};

use crate::config;

/// Why there is no quote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmError {
    /// The words after `tpm =`.
    #[error(
        "[platform] tpm = {0:?} says no TPM; write \"device:/dev/tpmrm0\", \"tabrmd\", or \"swtpm:host=127.0.0.1,port=2321\""
    )]
    Name(String),
    /// Nothing answers there.
    #[error(
        "no TPM answers at {tpm}; is it there, may this user open it (group tss), and does nobody else hold it? /dev/tpmrm0 serves several at once, /dev/tpm0 does not"
    )]
    Unreachable {
        /// The TPM.
        tpm: String,
        /// A number; the stack has said more on standard error.
        source: Error,
    },
    /// It answers that it has no time.
    #[error("the TPM at {tpm} is busy or locked out ({source}); try again")]
    Busy {
        /// The TPM.
        tpm: String,
        /// The stack's words.
        source: Error,
    },
    /// A number that no persistent handle has.
    #[error("[platform] handle = {0:#010x} is no persistent handle; choose one from 0x81000000 to 0x817fffff")]
    Handle(u32),
    /// No key there.
    #[error("the TPM at {tpm} holds nothing at {handle:#010x}; `attest platform init` makes its attestation key")]
    NoKey {
        /// The TPM.
        tpm: String,
        /// The handle.
        handle: u32,
    },
    /// Another kind of key there.
    #[error(
        "what the TPM at {tpm} holds at {handle:#010x} is no restricted signing key of P-256 with SHA-256; name another handle, and `attest platform init` makes one there"
    )]
    OtherKey {
        /// The TPM.
        tpm: String,
        /// The handle.
        handle: u32,
    },
    /// A command failed.
    #[error("the TPM at {tpm} did not {what}: {source}")]
    Failed {
        /// The TPM.
        tpm: String,
        /// What it was to do.
        what: &'static str,
        /// The stack's words.
        source: Error,
    },
    /// A quote that a verifier would refuse.
    #[error("the TPM at {tpm} gave a quote that is not over what was asked, or not of the form of tpm2-quote/1")]
    Unfit {
        /// The TPM.
        tpm: String,
    },
}

/// An open TPM.
pub struct Tpm {
    context: Context,
    name: String,
    handle: PersistentTpmHandle,
    number: u32,
}

impl Tpm {
    /// Opens it.
    ///
    /// # Errors
    /// [`TpmError`]; each says what to do about it.
    pub fn open(platform: &config::Platform) -> Result<Self, TpmError> {
        let config::Platform { tpm, handle } = platform;
        let name = TctiNameConf::from_str(tpm).map_err(|_| TpmError::Name(tpm.clone()))?;
        let persistent = PersistentTpmHandle::new(*handle).map_err(|_| TpmError::Handle(*handle))?;
        let context = Context::new(name).map_err(|source| TpmError::Unreachable { tpm: tpm.clone(), source })?;
        Ok(Self { context, name: tpm.clone(), handle: persistent, number: *handle })
    }

    /// The attestation key, if there is one.
    fn find(&mut self) -> Result<Option<(KeyHandle, PlatformKey)>, TpmError> {
        let wanted = TpmHandle::Persistent(self.handle);
        let look = |source| Self::error(&self.name, "look up its attestation key", source);
        // Asked first, because the stack prints errors of its own where a handle stands for nothing. What comes is the first handle
        // that is not below.
        let (found, _) = self.context.get_capability(CapabilityType::Handles, self.number, 1).map_err(look)?;
        match found {
            CapabilityData::Handles(handles) if handles.contains(&wanted) => {}
            _ => return Ok(None),
        }
        let handle = KeyHandle::from(self.context.tr_from_tpm_public(wanted).map_err(look)?);
        let (public, ..) =
            self.context.read_public(handle).map_err(|source| self.failed("show its attestation key", source))?;
        let other = || TpmError::OtherKey { tpm: self.name.clone(), handle: self.number };
        Ok(Some((handle, attestation_key(&public).ok_or_else(other)?)))
    }

    fn existing(&mut self) -> Result<(KeyHandle, PlatformKey), TpmError> {
        let found = self.find()?;
        found.ok_or_else(|| TpmError::NoKey { tpm: self.name.clone(), handle: self.number })
    }

    /// The attestation key.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn key(&mut self) -> Result<PlatformKey, TpmError> {
        Ok(self.existing()?.1)
    }

    /// Makes the attestation key, unless it is there. Says whether it was made.
    ///
    /// # Errors
    /// [`TpmError`]. What is at the handle is never replaced.
    pub fn init(&mut self) -> Result<(PlatformKey, bool), TpmError> {
        if let Some((_, key)) = self.find()? {
            return Ok((key, false));
        }
        let failed = |source| Self::error(&self.name, "make its attestation key", source);
        let template = template().map_err(failed)?;
        let persistent = Persistent::Persistent(self.handle);
        let made = self.context.execute_with_session(Some(AuthSession::Password), |context| {
            let primary = context.create_primary(Hierarchy::Owner, template, None, None, None, None)?;
            let transient = ObjectHandle::from(primary.key_handle);
            let kept = context.evict_control(Provision::Owner, transient, persistent);
            context.execute_without_session(|context| context.flush_context(transient)).and(kept)
        });
        made.map_err(|source| self.failed("make its attestation key", source))?;
        Ok((self.key()?, true))
    }

    /// A quote over `over`, looked at as a verifier will.
    ///
    /// # Errors
    /// [`TpmError`].
    pub fn quote(&mut self, over: Digest) -> Result<Platform, TpmError> {
        let (handle, key) = self.existing()?;
        let quote = self.context.execute_with_session(Some(AuthSession::Password), |context| {
            let data = Data::try_from(over.0.to_vec())?;
            let (attest, signature) = context.quote(handle, data, SignatureScheme::Null, selection()?)?;
            Ok((attest.marshall()?, signature))
        });
        let (bytes, signature) = quote.map_err(|source| self.failed("quote", source))?;
        let platform = signature_bytes(&signature)
            .and_then(|signature| Platform::new(key.thumbprint(), bytes, signature))
            .filter(|platform| platform.quote().over == over && platform.is_by(&key));
        platform.ok_or_else(|| TpmError::Unfit { tpm: self.name.clone() })
    }

    fn failed(&self, what: &'static str, source: Error) -> TpmError {
        Self::error(&self.name, what, source)
    }

    fn error(tpm: &str, what: &'static str, source: Error) -> TpmError {
        let tpm = tpm.to_owned();
        let kind = match source {
            Error::Tss2Error(code) => code.kind(),
            Error::WrapperError(_) => None,
        };
        match kind {
            Some(Kind::Retry | Kind::Yielded | Kind::Testing | Kind::Lockout | Kind::NvRate) => {
                TpmError::Busy { tpm, source }
            }
            _ => TpmError::Failed { tpm, what, source },
        }
    }
}

/// PCR 0 to 7 of the bank of SHA-256.
fn selection() -> Result<PcrSelectionList, Error> {
    let slots = [
        PcrSlot::Slot0,
        PcrSlot::Slot1,
        PcrSlot::Slot2,
        PcrSlot::Slot3,
        PcrSlot::Slot4,
        PcrSlot::Slot5,
        PcrSlot::Slot6,
        PcrSlot::Slot7,
    ];
    PcrSelectionList::builder()
        .with_size_of_select(PcrSelectSize::ThreeOctets)
        .with_selection(HashingAlgorithm::Sha256, &slots)
        .build()
}

/// Restricted: it signs nothing but what this TPM made. A primary key of the owner: the TPM makes the same one from this template
/// until its owner clears it.
fn template() -> Result<Public, Error> {
    let attributes = ObjectAttributesBuilder::new()
        .with_fixed_tpm(true)
        .with_fixed_parent(true)
        .with_sensitive_data_origin(true)
        .with_user_with_auth(true)
        .with_no_da(true)
        .with_restricted(true)
        .with_sign_encrypt(true)
        .build()?;
    let scheme = EccScheme::create(EccSchemeAlgorithm::EcDsa, Some(HashingAlgorithm::Sha256), None)?;
    let parameters = PublicEccParametersBuilder::new()
        .with_symmetric(SymmetricDefinitionObject::Null)
        .with_ecc_scheme(scheme)
        .with_curve(EccCurve::NistP256)
        .with_key_derivation_function_scheme(KeyDerivationFunctionScheme::Null)
        .with_is_signing_key(true)
        .with_is_decryption_key(false)
        .with_restricted(true)
        .build()?;
    PublicBuilder::new()
        .with_public_algorithm(PublicAlgorithm::Ecc)
        .with_name_hashing_algorithm(HashingAlgorithm::Sha256)
        .with_object_attributes(attributes)
        .with_ecc_parameters(parameters)
        .with_ecc_unique_identifier(EccPoint::default())
        .build()
}

/// The key, where it is one that signs only what its TPM made, with ECDSA over P-256 and SHA-256.
fn attestation_key(public: &Public) -> Option<PlatformKey> {
    let Public::Ecc { object_attributes: attributes, parameters, unique, .. } = public else {
        return None;
    };
    let EccScheme::EcDsa(scheme) = parameters.ecc_scheme() else {
        return None;
    };
    let fit = attributes.restricted()
        && attributes.sign_encrypt()
        && !attributes.decrypt()
        && attributes.fixed_tpm()
        && attributes.sensitive_data_origin()
        && parameters.ecc_curve() == EccCurve::NistP256
        && scheme.hashing_algorithm() == HashingAlgorithm::Sha256;
    fit.then_some(())?;
    PlatformKey::new(&padded(unique.x())?, &padded(unique.y())?)
}

fn signature_bytes(signature: &Signature) -> Option<[u8; 64]> {
    let Signature::EcDsa(signature) = signature else {
        return None;
    };
    [padded(signature.signature_r())?, padded(signature.signature_s())?].as_flattened().try_into().ok()
}

/// A TPM may leave out zeros at the front.
fn padded(number: &EccParameter) -> Option<[u8; 32]> {
    let number = number.value();
    let mut bytes = [0; 32];
    bytes.get_mut(32_usize.checked_sub(number.len())?..)?.copy_from_slice(number);
    Some(bytes)
}
