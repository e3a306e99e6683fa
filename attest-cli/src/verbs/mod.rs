//! One file per verb.

pub(crate) mod alerts;
pub(crate) mod approvals;
pub(crate) mod declassify;
pub(crate) mod delegate;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod doctor;
pub(crate) mod hosts;
pub(crate) mod init;
pub(crate) mod inspect;
pub(crate) mod issue;
#[cfg(feature = "josekit")]
pub(crate) mod jwk;
pub(crate) mod kept;
pub(crate) mod keygen;
pub(crate) mod log;
pub(crate) mod measure;
pub(crate) mod moment;
#[cfg(feature = "tpm")]
pub(crate) mod platform;
pub(crate) mod policy;
pub(crate) mod reference;
pub(crate) mod revoke;
pub(crate) mod signer;
pub(crate) mod verify;
pub(crate) mod witness;
