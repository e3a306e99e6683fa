//! Where parts are: reached from any thread, inside a runtime too.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::export::{Destination, ExportError};
use crate::place::Place;
use crate::wait::{block_on_for, runtime};

/// Longer than a store's client tries by itself.
const PATIENCE: Duration = Duration::from_secs(240);

/// What is wrong with a file of a sealed part.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PartError {
    /// It is not there.
    #[error("there is no such file")]
    Missing,
    /// It is not in its form.
    #[error("it is cut short or was changed")]
    Form,
    /// The store did not answer.
    #[error("no answer in time")]
    Slow,
    /// The place, or what it said.
    #[error("{0}")]
    Place(#[from] Box<ExportError>),
    /// The system gives no thread.
    #[error("{0}")]
    System(#[from] std::io::Error),
}

/// A folder or a store.
pub(super) struct Home(Destination);

impl Home {
    /// Opens the place that a table names; one that is no absolute path is below the log's own folder.
    pub(super) fn open(place: &Path, log: &Place) -> Result<Self, PartError> {
        let text = place.to_str().unwrap_or_default();
        let destination = match (text.contains("://"), log) {
            (true, _) => Destination::named(text),
            (false, Place::File(file)) => Destination::existing(&folder_of(file).join(place)),
            (false, Place::Shared(_)) => Destination::existing(place),
        };
        Ok(Self(destination.map_err(Box::new)?))
    }

    /// Opens the place that whoever seals names. A folder that is made here is its owner's alone, as a log is.
    pub(super) fn named(text: &str) -> Result<Self, ExportError> {
        if !text.contains("://") {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(text);
            made.map_err(|source| ExportError::Folder { path: text.into(), source })?;
        }
        Destination::named(text).map(Self)
    }

    pub(super) fn destination(&self) -> &Destination {
        &self.0
    }

    /// The bytes of a file.
    pub(super) fn get(&self, name: Option<String>) -> Result<bytes::Bytes, PartError> {
        let name = name.ok_or(PartError::Missing)?;
        let to = self.0.clone();
        let found = wait(async move { to.get(&name).await })?;
        found.ok_or(PartError::Missing)
    }

    /// Writes a file, unless it is there, and has it on the disk.
    pub(super) fn put(&self, name: Option<String>, bytes: Vec<u8>) -> Result<(), PartError> {
        let name = name.ok_or(PartError::Form)?;
        let to = self.0.clone();
        wait(async move { to.keep(&name, bytes).await }).map(drop)
    }
}

impl Home {
    /// Removes a file, where it is there.
    pub(super) fn remove(&self, name: Option<String>) -> Result<(), PartError> {
        let name = name.ok_or(PartError::Form)?;
        let to = self.0.clone();
        wait(async move { to.remove(&name).await })
    }
}

fn wait<T: Send + 'static>(
    work: impl Future<Output = Result<T, object_store::Error>> + Send + 'static,
) -> Result<T, PartError> {
    let mut work = runtime()?.spawn(work);
    match block_on_for(&mut work, PATIENCE) {
        Some(done) => Ok(done.map_err(std::io::Error::other)?.map_err(|error| Box::new(ExportError::from(error)))?),
        None => {
            work.abort();
            Err(PartError::Slow)
        }
    }
}

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// How the table names a place: an address as it stands, a folder absolute, or from the log's own folder where it is below
/// that, so that both can be moved together.
pub(super) fn name_of(text: &str, log: &Place) -> std::io::Result<PathBuf> {
    if text.contains("://") {
        return Ok(text.into());
    }
    let folder = Path::new(text).canonicalize()?;
    if let Place::File(file) = log
        && let Ok(below) = folder.strip_prefix(folder_of(file).canonicalize()?)
        && below.components().next().is_some()
    {
        return Ok(below.into());
    }
    Ok(folder)
}
