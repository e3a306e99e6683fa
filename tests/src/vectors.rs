//! The vectors of `spec/vectors`: exact bytes under a short text header, one defect each.
//!
//! [`all`] writes them, the same bytes on every run: keys, times and random bits are constants. A family bears the name of
//! its page in `spec/` and stands in the file of that name below. Nothing here asks attest-core for a verdict: what is
//! expected is written down by hand, so that the runner (`tests/vectors.rs`) has something to compare with.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a vector that cannot be made is a mistake in this generator, and the run must stop at it"
)]

pub mod call;
pub mod file;
pub mod log;
pub mod points;
pub mod token;
pub mod trust;

mod alert;
mod approval;
mod attestation;
mod audit;
mod call_proof;
mod carrier;
mod cause;
mod chain;
mod checkpoint;
mod comparison;
mod constraint;
mod cosignature;
mod declassification;
mod delegation;
mod digest;
mod entry;
mod extension;
mod flow;
mod json;
mod jwk;
mod jws;
mod labels;
mod log_policy;
mod measurement;
mod merkle;
mod nonce;
mod note;
mod pins;
pub mod platform;
pub mod receipt;
mod refusals;
mod request;
mod response;
mod seen;
mod shared_document;
pub mod status;
mod task;
mod tile;
mod tlog_proof;
mod verification;
mod watched;
mod witness;

use std::collections::BTreeMap;
use std::path::PathBuf;

use file::Vector;

/// Name of the trust configuration that request vectors are checked with.
pub const TRUST_FILE: &str = "trust.json";
/// The same, with endorsed weights.
pub const ENDORSED_FILE: &str = "endorsed.json";
/// The same, with machines whose keys are pinned, for agents of which that is required.
pub const PLATFORM_FILE: &str = "platform.json";

/// The same, with status lists.
pub const STATUS_FILE: &str = "status.json";
/// The same, with comparison rules.
pub const RULES_FILE: &str = "rules.json";

/// The same, with labels, logs, owners of labels, and what tools take.
pub const FLOW_FILE: &str = "flow.json";

/// Where the committed files lie.
pub fn directory() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "spec", "vectors"].iter().collect()
}

/// Every vector.
///
/// # Panics
/// Where two have the same name, or a helper is used on a call that it does not fit.
pub fn all() -> Vec<Vector> {
    let families: [fn() -> Vec<Vector>; 42] = [
        alert::vectors,
        approval::vectors,
        attestation::vectors,
        audit::vectors,
        call_proof::vectors,
        carrier::vectors,
        cause::vectors,
        chain::vectors,
        checkpoint::vectors,
        comparison::vectors,
        constraint::vectors,
        cosignature::vectors,
        declassification::vectors,
        delegation::vectors,
        digest::vectors,
        entry::vectors,
        extension::vectors,
        flow::vectors,
        json::vectors,
        jwk::vectors,
        jws::vectors,
        labels::vectors,
        log_policy::vectors,
        measurement::vectors,
        merkle::vectors,
        nonce::vectors,
        note::vectors,
        pins::vectors,
        platform::vectors,
        receipt::vectors,
        refusals::vectors,
        request::vectors,
        response::vectors,
        seen::vectors,
        shared_document::vectors,
        status::vectors,
        task::vectors,
        tile::vectors,
        tlog_proof::vectors,
        trust::vectors,
        verification::vectors,
        witness::vectors,
    ];
    families.iter().flat_map(|family| family()).collect()
}

/// Every file of the directory but its README, by name.
///
/// # Panics
/// Where two vectors have the same name.
pub fn files() -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for vector in all() {
        let twice = files.insert(format!("{}.vec", vector.name), vector.to_bytes());
        assert!(twice.is_none(), "two vectors are named {}", vector.name);
    }
    let trusts = [
        (TRUST_FILE, trust::default_trust()),
        (ENDORSED_FILE, trust::endorsed_trust()),
        (PLATFORM_FILE, trust::platform_trust()),
        (RULES_FILE, trust::rules_trust()),
        (STATUS_FILE, status::trust()),
        (FLOW_FILE, trust::flow_trust()),
    ];
    for (name, trust) in trusts {
        let mut text = serde_json::to_vec_pretty(&token::sorted(&trust)).unwrap();
        text.push(b'\n');
        files.insert(name.to_owned(), text);
    }
    files.insert(status::LISTS_FILE.to_owned(), status::lists().into());
    files.insert(log::KEYS.to_owned(), log::keys().into());
    files.insert(log::ROTATED.to_owned(), log::rotated().into());
    files.insert(log::POLICY.to_owned(), log::policy().into());
    files
}
