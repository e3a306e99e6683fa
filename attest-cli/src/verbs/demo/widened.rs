//! A chain that grants more than its root does: what `attest delegate` refuses to sign, made by hand.

use std::path::{Path, PathBuf};

use attest_core::b64;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::Digest;
use attest_core::jws::Unverified;
use attest_core::sign::Sign as _;
use attest_core::tools::qualified;
use attest_keys::{Key, KeySource};

use super::folder::AUDIENCE;
use super::notes::DELETE;
use crate::verbs::delegate;

/// The chain in the file `parent` with one more token, which is in order in all but one thing: signed by the key that holds
/// the last one (`key`), linked to it, and granting the deletion of notes as well.
pub(crate) fn chain(parent: &Path, key: PathBuf) -> Result<String, Box<dyn std::error::Error>> {
    let key: Key = KeySource::File(key).load()?;
    let mut chain = delegate::read_chain(parent)?;
    let parent = Unverified::<Delegation>::read(chain.last().ok_or("the chain is empty")?)?;
    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let mut child = Delegation {
        issuer: thumbprint_uri(key.public().thumbprint()),
        id: b64::encode(id),
        depth: 1,
        parent: Some(Digest::of(parent.signing_input())),
        ..parent.peek().clone()
    };
    child.tools.0.entry(qualified(AUDIENCE, DELETE)).or_default();
    chain.push(child.sign(&key)?);
    Ok(chain.join("\n") + "\n")
}
