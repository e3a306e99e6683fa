//! The pure core of attest: bytes, signatures, statements, decisions.
//!
//! No clock, file, socket, environment or random source is read here: the time and random bits are arguments, a verdict
//! is what comes back. Each object on the wire has a page in `spec/` of the same name as its module.
//!
//! Imports go down: [`json`], [`b64`], [`digest`] → [`jwk`], [`jws`] → [`attestation`], [`delegation`], [`call_proof`] →
//! [`verifier`].

pub mod alert;
pub mod approval;
pub mod attestation;
pub mod audit;
pub mod b64;
pub mod call_proof;
pub mod canon;
pub mod carrier;
pub mod cause;
pub mod chain;
pub mod checkpoint;
pub mod claims;
pub mod comparison;
pub mod constraint;
pub mod cosignature;
pub mod declassification;
pub mod delegation;
pub mod derivation;
pub mod digest;
pub mod entry;
pub mod extension;
pub mod flow;
pub mod json;
pub mod jwk;
pub mod jws;
pub mod labelling;
pub mod labels;
pub mod limits;
pub mod log_policy;
pub mod measurement;
pub mod merkle;
mod named;
pub mod names;
pub mod nonce;
pub mod note;
pub mod once;
pub mod pins;
pub mod platform;
pub mod receipt;
pub mod refusal;
pub mod reply;
pub mod request;
pub mod response;
pub mod seen;
pub mod shared_document;
pub mod sign;
pub mod signing;
pub mod status;
pub mod task;
pub mod tile;
pub mod tlog_proof;
pub mod tools;
pub mod trust;
pub mod verifier;
pub mod watched;
pub mod witness;
