//! A model that somebody else hosts: `model-ref`.

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use serde::Serialize;

use crate::error::MeasureError;

/// What a hosted model is called. Names, not weights: nobody here can say what answers under them, which is why this is
/// another component than `model-weights`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModelRef {
    model: String,
    provider: String,
    snapshot: Option<String>,
}

impl ModelRef {
    /// `snapshot` is the provider's name for fixed weights, a date or revision; `None` where there is none, and the model
    /// may change under its name.
    ///
    /// # Errors
    /// [`MeasureError::EmptyModelRef`].
    pub fn new(provider: &str, model: &str, snapshot: Option<&str>) -> Result<Self, MeasureError> {
        for (name, value) in [("provider", Some(provider)), ("name", Some(model)), ("snapshot", snapshot)] {
            if value.is_some_and(str::is_empty) {
                return Err(MeasureError::EmptyModelRef(name));
            }
        }
        Ok(Self { model: model.into(), provider: provider.into(), snapshot: snapshot.map(Into::into) })
    }

    /// JCS of `{"model":"…","provider":"…","snapshot":"…"}`, the last one `null` where it is not known.
    pub fn canonical(&self) -> Vec<u8> {
        jcs(self)
    }

    /// SHA-256 over the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical())
    }
}
