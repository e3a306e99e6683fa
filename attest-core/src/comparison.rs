//! Comparison rules: how a measured state may differ from the accepted one. `spec/comparison.md`.
//!
//! A digest can only be equal or not. Where an operator allows more, the caller discloses the bytes that its digest is over, and a
//! rule is applied to them. Who discloses nothing is held to the accepted digests.

mod listing;
mod template;

use crate::attestation::Attestation;
use crate::digest::Digest;
use crate::measurement::Component;
use crate::trust::Trust;

pub use listing::{Listing, ListingError, MAX_PATTERNS};
pub use template::{MAX_SLOTS, Slot, Template, TemplateError};

/// What may differ of one component, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rule {
    /// A text with slots. Of `system-prompt` alone.
    Template(Template),
    /// A list of files or tensors, some of whose digests may differ. Of `model-tensors`, `model-weights` and `harness`.
    Listing(Listing),
}

impl Rule {
    /// Whether it is a rule for this component.
    pub fn is_for(&self, component: Component) -> bool {
        match self {
            Self::Template(_) => component == Component::SystemPrompt,
            Self::Listing(listing) => listing.is_of(component),
        }
    }

    /// Whether the disclosed bytes are within what it allows. Takes time in proportion to them.
    pub fn fits(&self, disclosed: &str) -> bool {
        match self {
            Self::Template(template) => template.fits(disclosed),
            Self::Listing(listing) => listing.fits(disclosed),
        }
    }

    /// Names what the rule accepts: SHA-256 over the template's text, or over the list that others are compared with.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Template(template) => template.digest(),
            Self::Listing(listing) => listing.digest(),
        }
    }
}

/// Texts that somebody disclosed, each beside its digest. Not printed: a prompt may be confidential.
pub(crate) struct Disclosed<'a>(Vec<(Digest, &'a str)>);

impl<'a> Disclosed<'a> {
    /// Hashes the texts. `None` where one is not what a digest of this attestation is over, or is there twice.
    pub(crate) fn of(texts: &[&'a str], attestation: &Attestation) -> Option<Self> {
        let mut disclosed: Vec<(Digest, &str)> = Vec::with_capacity(texts.len());
        for text in texts {
            let digest = Digest::of(text);
            let measured = attestation.measurements.iter().any(|m| m.digest == digest);
            if !measured || disclosed.iter().any(|(other, _)| *other == digest) {
                return None;
            }
            disclosed.push((digest, text));
        }
        Some(Self(disclosed))
    }

    /// The components of which what was disclosed is within a rule of `trust`.
    pub(crate) fn within_rules(&self, attestation: &Attestation, trust: &Trust) -> Vec<Component> {
        let references = trust.references(&attestation.agent);
        let fits = |component: Component, digest: Digest| {
            let rule = references?.get(&component)?.rule.as_ref()?;
            let (_, text) = self.0.iter().find(|(disclosed, _)| *disclosed == digest)?;
            rule.fits(text).then_some(component)
        };
        attestation.measurements.iter().filter_map(|m| fits(m.component, m.digest)).collect()
    }
}
