//! Measured components that holders of a token must show: the member `…/state` of a delegation. `spec/pins.md`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::attestation::Attestation;
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::json::Value;
use crate::limits::{MAX_PIN_AGE, MAX_PINS};
use crate::measurement::Component;
use crate::names::STATE;

/// Components, each with the digests that are accepted of it.
pub type Accepted = BTreeMap<Component, Vec<Digest>>;

/// What a token asks of the state of those who hold it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// Of the token's holder.
    pub holder: Accepted,
    /// Of everybody who holds a token derived from this one, however far below.
    pub below: Accepted,
    /// Seconds for which an attestation stands for its holder: who derived a child loses the authority when the attestation in it is older.
    pub max_age: u64,
}

/// Whether an attestation shows a component that is accepted, for each of them.
pub fn shows(attestation: &Attestation, pinned: &Accepted) -> Result<(), Component> {
    let shown = |component: Component, digests: &[Digest]| {
        attestation.measurement(component).is_some_and(|measured| digests.contains(&measured.digest))
    };
    match pinned.iter().find(|(component, digests)| !shown(**component, digests)) {
        None => Ok(()),
        Some((component, _)) => Err(*component),
    }
}

fn accepted(value: Option<&Value<'_>>) -> Result<Accepted, ClaimsError> {
    let invalid = ClaimsError::Invalid(STATE);
    let Some(value) = value else { return Ok(Accepted::new()) };
    // An empty one would look like a pin and be none.
    let object = value.as_object().filter(|o| (1..=MAX_PINS).contains(&o.len())).ok_or(invalid)?;
    let pin = |(component, digests): (&str, &Value<'_>)| {
        let component = Component::parse(component)?;
        let digests = digests.as_array().filter(|digests| (1..=MAX_PINS).contains(&digests.len()))?;
        let digests = digests.iter().map(|digest| digest.as_str().and_then(Digest::from_b64));
        Some((component, digests.collect::<Option<Vec<_>>>()?))
    };
    object.iter().map(pin).collect::<Option<_>>().ok_or(invalid)
}

/// Reads the member where there is one.
pub(crate) fn optional(value: Option<&Value<'_>>) -> Result<Option<Pins>, ClaimsError> {
    let Some(value) = value else { return Ok(None) };
    let invalid = ClaimsError::Invalid(STATE);
    let mut claims = Claims::of(value).map_err(|_| invalid)?;
    let pins = Pins {
        holder: accepted(claims.optional("holder"))?,
        below: accepted(claims.optional("below"))?,
        max_age: claims.number("max_age").map_err(|_| invalid)?,
    };
    claims.finish().map_err(|_| invalid)?;
    let asks = !pins.holder.is_empty() || !pins.below.is_empty();
    if asks && (1..=MAX_PIN_AGE).contains(&pins.max_age) { Ok(Some(pins)) } else { Err(invalid) }
}

impl Pins {
    /// Reads the member's value.
    ///
    /// # Errors
    /// [`ClaimsError`].
    pub fn of(value: &Value<'_>) -> Result<Option<Self>, ClaimsError> {
        optional(Some(value))
    }

    pub(crate) fn to_wire(&self) -> Wire {
        let written = |pinned: &Accepted| {
            let pinned: Written =
                pinned.iter().map(|(c, digests)| (c.as_str(), digests.iter().map(|d| d.to_b64()).collect())).collect();
            Some(pinned).filter(|pinned| !pinned.is_empty())
        };
        Wire { below: written(&self.below), holder: written(&self.holder), max_age: self.max_age }
    }
}

type Written = BTreeMap<&'static str, Vec<String>>;

/// As it is written.
#[derive(Serialize)]
pub(crate) struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<Written>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holder: Option<Written>,
    max_age: u64,
}
