//! Canonical bytes of our own typed structs, by way of `serde_jcs`.
//!
//! Only for structs of this workspace: no floats, no `flatten`, no map keys but strings, each of which `serde_jcs` 0.2.0
//! gets wrong silently. What others send goes through [`crate::json`].

/// The canonical bytes of `statement`.
///
/// # Panics
/// Never for the structs of this workspace, which hold strings, booleans, whole numbers below 2^53 and string-keyed maps.
#[allow(clippy::expect_used, reason = "serialisation of such structs has no way to fail")]
pub fn jcs(statement: &impl serde::Serialize) -> Vec<u8> {
    serde_jcs::to_vec(statement).expect("structs of strings and whole numbers serialise")
}
