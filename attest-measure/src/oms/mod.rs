//! Endorsements: a publisher's signature over a model's files, in the form of OpenSSF Model Signing. `spec/endorsement.md`.
//!
//! A bundle is one JSON file (Sigstore bundle v0.3) around a DSSE envelope around an in-toto statement that lists each file
//! with its digest. [`Endorsement::verify`] reads it under one pinned P-256 key, and [`Endorsement::check`] holds it against a
//! [`Manifest`](crate::Manifest) of ours: what is endorsed is exactly the list. [`Draft`] writes one.
//!
//! The tool's own identity of a model, the subject's digest, is over the digests alone and binds no names. So it is checked,
//! for a bundle that contradicts itself is no good, and never used: what a verifier accepts is the manifest's digest.

mod bundle;
mod compare;
mod draft;
mod error;
mod files;
mod key;
mod statement;

pub use compare::Difference;
pub use draft::{Draft, DraftError};
pub use error::OmsError;
pub use files::{EndorseError, EndorsedFiles};
pub use key::PublisherKey;
pub use statement::{Endorsement, Resource};

/// Largest bundle and largest manifest that is read, in bytes: some 60,000 files.
pub const MAX_BUNDLE: u64 = 16 << 20;

/// What the envelope says its payload is.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// What the bundle says it is.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// What the statement says it is.
const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// What the statement is about.
const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// The one hash that our manifest has too.
const SHA256: &str = "sha256";
/// The one method in which a resource is a whole file.
const FILES: &str = "files";
/// The name of the one resource of a model that is one file.
const ITSELF: &str = ".";
/// What the tool leaves out at the top of every folder unless it is told otherwise.
const GIT: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// What is signed: the pre-authentication encoding of DSSE version 1.
fn pae(payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {PAYLOAD_TYPE} {} ", PAYLOAD_TYPE.len(), payload.len());
    [head.as_bytes(), payload].concat()
}
