//! The three files of an endorsement, as a configuration names them.

use std::path::{Path, PathBuf};

use super::{Difference, Endorsement, MAX_BUNDLE, OmsError, PublisherKey};
use attest_core::measurement::Component;

use crate::document::{Document, DocumentFileError};
use crate::error::MeasureError;
use crate::manifest::Manifest;
use crate::open;

/// A bundle, the key that it must be signed with, and the manifest of the files that it must be over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndorsedFiles {
    /// The publisher's bundle.
    pub bundle: PathBuf,
    /// The publisher's public key.
    pub key: PathBuf,
    /// The manifest that holds the files whose digest is to be accepted (`attest measure --manifest-out`).
    pub manifest: PathBuf,
}

/// Why files are not endorsed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndorseError {
    /// One of the three cannot be read.
    #[error(transparent)]
    Read(#[from] MeasureError),
    /// The key is none that can be used.
    #[error("{path} ({code}): {source}", path = path.display(), code = source.code())]
    Key {
        /// The key's file.
        path: PathBuf,
        /// Why.
        source: OmsError,
    },
    /// The bundle does not verify.
    #[error("{path} ({code}): {source}", path = path.display(), code = source.code())]
    Bundle {
        /// The bundle.
        path: PathBuf,
        /// Why.
        source: OmsError,
    },
    /// The manifest is none.
    #[error("manifest: {0}")]
    Manifest(#[from] DocumentFileError),
    /// The manifest does not list the component's files.
    #[error("{path} (manifest) does not list the files of {component}; `attest measure --manifest-out` writes one that does", path = path.display())]
    NoList {
        /// The manifest's file.
        path: PathBuf,
        /// Whose files.
        component: Component,
    },
    /// The bundle is over other files.
    #[error("{bundle} does not endorse {manifest} (differs): {difference}", bundle = bundle.display(), manifest = manifest.display())]
    Differs {
        /// The bundle.
        bundle: PathBuf,
        /// The manifest's file.
        manifest: PathBuf,
        /// In what.
        difference: Box<Difference>,
    },
}

impl EndorsedFiles {
    /// The same, with paths below `folder`.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        let Self { bundle, key, manifest } = self;
        Self { bundle: folder.join(bundle), key: folder.join(key), manifest: folder.join(manifest) }
    }

    /// Verifies the bundle, and that what the manifest lists of `component` is exactly its files; gives these.
    ///
    /// # Errors
    /// [`EndorseError`].
    pub fn verify(&self, component: Component) -> Result<Manifest, EndorseError> {
        let Self { bundle, key, manifest } = self;
        let publisher = PublisherKey::read(key)?.map_err(|source| EndorseError::Key { path: key.clone(), source })?;
        let (bytes, _) = open::read_whole(bundle, MAX_BUNDLE)?;
        let endorsement = Endorsement::verify(&bytes, &publisher)
            .map_err(|source| EndorseError::Bundle { path: bundle.clone(), source })?;
        let document = Document::read(manifest)?;
        let list = match component {
            Component::Harness => document.lists.harness,
            Component::ModelWeights => document.lists.weights,
            _ => None,
        };
        let files = list.ok_or_else(|| EndorseError::NoList { path: manifest.clone(), component })?;
        endorsement.check(&files).map_err(|difference| EndorseError::Differs {
            bundle: bundle.clone(),
            manifest: manifest.clone(),
            difference: Box::new(difference),
        })?;
        Ok(files)
    }
}
