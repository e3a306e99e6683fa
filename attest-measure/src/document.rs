//! An agent's state as a document: `spec/manifest.md`. Digests for a verifier, and beside them what they are over, so that two states can be
//! compared piece by piece.

mod read;

use std::path::{Path, PathBuf};

use attest_core::attestation::Attestation;
use attest_core::canon::jcs;
use attest_core::json::JsonError;
use attest_core::measurement::{Component, Measurement};
use serde::Serialize;

use crate::error::MeasureError;
use crate::manifest::Manifest;
use crate::open;
use crate::tensors::TensorManifest;

/// Largest manifest in a file: one that lists every tensor too.
const MAX_MANIFEST: u64 = 256 << 20;

/// The one form there is.
const FORMAT: &str = "attest-manifest/1";

/// What an agent is made of, as it was measured; nothing in it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The agent's name.
    pub agent: String,
    /// One per component, in ascending order.
    pub measurements: Vec<Measurement>,
    /// What some of the digests are over.
    pub lists: Lists,
}

/// What the digests of files and tensors are over, where it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// The files of `harness`.
    pub harness: Option<Manifest>,
    /// The files of `model-weights`.
    pub weights: Option<Manifest>,
    /// The tensors of `model-tensors`.
    pub tensors: Option<TensorManifest>,
}

impl Lists {
    /// The bytes that the digest of a component is over, where it is a list that is known.
    pub fn bytes(&self, component: Component) -> Option<Vec<u8>> {
        match component {
            Component::Harness => self.harness.as_ref().map(Manifest::canonical),
            Component::ModelWeights => self.weights.as_ref().map(Manifest::canonical),
            Component::ModelTensors => self.tensors.as_ref().map(TensorManifest::canonical),
            _ => None,
        }
    }
}

/// Why there is no manifest in a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentFileError {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] MeasureError),
    /// It holds none.
    #[error("{path}: {source}", path = path.display())]
    Form {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: DocumentError,
    },
}

/// Why a text is no manifest. Nothing of the text is in it but names, printed escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DocumentError {
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    Json(JsonError),
    /// More than any model has.
    #[error("its JSON has more than {limit} parts")]
    TooManyParts {
        /// How many are allowed.
        limit: usize,
    },
    /// A member that is missing, is not what it should be, or is not known.
    #[error(
        "no manifest of the form attest-manifest/1: {0} is not what it should be; `attest measure --manifest-out` writes one"
    )]
    Form(&'static str),
    /// Names that are not in ascending order, or there twice.
    #[error("no manifest: the names of {0} are not in ascending order, each once")]
    Order(&'static str),
    /// A list that is not what the component's digest is over: one of the two was changed.
    #[error(
        "the list of {0} is not the one that the digest of {0} stands for; the manifest was changed by hand, or damaged"
    )]
    OtherDigest(Component),
}

#[derive(Serialize)]
struct Wire<'a> {
    agent: &'a str,
    components: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Files<'a>>,
    format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tensors: Option<&'a TensorManifest>,
}

#[derive(Serialize)]
struct Row {
    component: &'static str,
    digest: String,
    grade: &'static str,
}

#[derive(Serialize)]
struct Files<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    harness: Option<&'a Manifest>,
    #[serde(rename = "model-weights", skip_serializing_if = "Option::is_none")]
    weights: Option<&'a Manifest>,
}

impl Document {
    /// Canonical JSON.
    pub fn to_json(&self) -> Vec<u8> {
        let Lists { harness, weights, tensors } = &self.lists;
        let row = |m: &Measurement| Row {
            component: m.component.as_str(),
            digest: m.digest.to_b64(),
            grade: m.grade.as_str(),
        };
        let files = Files { harness: harness.as_ref(), weights: weights.as_ref() };
        jcs(&Wire {
            agent: &self.agent,
            components: self.measurements.iter().map(row).collect(),
            files: (harness.is_some() || weights.is_some()).then_some(files),
            format: FORMAT,
            tensors: tensors.as_ref(),
        })
    }

    /// Reads a manifest. Each list must be the one that its component's digest is over, so that what a comparison says of files and
    /// tensors holds of the digests too.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn parse(text: &[u8]) -> Result<Self, DocumentError> {
        read::document(text)
    }

    /// Reads the manifest in a file.
    ///
    /// # Errors
    /// [`DocumentFileError`].
    pub fn read(path: &Path) -> Result<Self, DocumentFileError> {
        let (bytes, _) = open::read_whole(path, MAX_MANIFEST)?;
        Self::parse(&bytes).map_err(|source| DocumentFileError::Form { path: path.to_owned(), source })
    }

    /// The measurement of a component.
    pub fn measurement(&self, component: Component) -> Option<&Measurement> {
        self.measurements.iter().find(|m| m.component == component)
    }
}

impl From<&Attestation> for Document {
    /// The digests alone: an attestation holds no lists.
    fn from(attestation: &Attestation) -> Self {
        Self {
            agent: attestation.agent.clone(),
            measurements: attestation.measurements.clone(),
            lists: Lists::default(),
        }
    }
}
