//! The manifest of a set of files: `model-weights` and `harness`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use attest_core::json::{self, JsonError, Value};
use serde::Serialize;

use crate::Measured;
use crate::error::MeasureError;
use crate::fileset::FileSet;
use crate::hash::{self, Progress};
use crate::tree::Found;

/// Sizes are JSON numbers, which are exact up to here.
const MAX_SIZE: u64 = (1 << 53) - 1;

/// A file as it stands in a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// Its name: path below the measured folder, parts joined by `/`. No Unicode normalisation is applied.
    pub name: String,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of its bytes.
    pub digest: Digest,
}

/// Files with their names, sizes and digests, in ascending order of the names' UTF-8 bytes.
///
/// The digest is SHA-256 over the JCS form of `[{"digest":"<43 characters>","name":"…","size":N},…]`. It binds the names,
/// which a bare list of digests would not: a model whose shards change places is another model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The files.
    pub files: Vec<FileEntry>,
    /// Over all of the above.
    pub digest: Digest,
}

/// Why bytes are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    Json(JsonError),
    /// Not a list of files with digest, name and size.
    #[error("not a list of at least one file with digest, name and size")]
    Form,
    /// Two names that are one where case is not told apart.
    #[error("{first:?} and {second:?} are one name where upper and lower case are the same")]
    SameName {
        /// One name.
        first: String,
        /// The other.
        second: String,
    },
    /// A manifest, and not in the one form that has its digest.
    #[error("not in canonical form: its digest would not be the one that an agent shows")]
    NotCanonical,
}

#[derive(Serialize)]
struct Line<'a> {
    digest: String,
    name: &'a str,
    size: u64,
}

impl Manifest {
    fn of(mut files: Vec<FileEntry>) -> Self {
        files.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        let digest = Digest::of(canonical(&files));
        Self { files, digest }
    }

    /// The bytes that the digest is over.
    pub fn canonical(&self) -> Vec<u8> {
        canonical(&self.files)
    }

    /// Reads what [`Manifest::canonical`] wrote, byte for byte.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, ManifestError> {
        let value = json::parse(bytes).map_err(ManifestError::Json)?;
        let list = value.as_array().ok_or(ManifestError::Form)?;
        let files = list.iter().map(entry).collect::<Option<Vec<_>>>().ok_or(ManifestError::Form)?;
        if files.is_empty() {
            return Err(ManifestError::Form);
        }
        let names: Vec<String> = files.iter().map(|f| f.name.clone()).collect();
        distinct(&names).map_err(|(first, second)| ManifestError::SameName { first, second })?;
        let manifest = Self::of(files);
        // Order, spacing, spelling and members that are too many all show in this.
        if manifest.canonical() != bytes { Err(ManifestError::NotCanonical) } else { Ok(manifest) }
    }

    /// The sum of the sizes, in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, f| sum.saturating_add(f.size))
    }
}

/// Two names that differ at most in the case of ASCII letters are refused: where case is not told apart they are one file,
/// and which one is a matter of luck.
fn distinct(names: &[String]) -> Result<(), (String, String)> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        if let Some(first) = seen.insert(name.to_ascii_lowercase(), name) {
            return Err((first.to_owned(), name.clone()));
        }
    }
    Ok(())
}

fn entry(value: &Value<'_>) -> Option<FileEntry> {
    let object = value.as_object()?;
    let text = |name| object.get(name).and_then(Value::as_str);
    Some(FileEntry {
        name: text("name")?.to_owned(),
        size: object.get("size")?.as_u53()?,
        digest: Digest::from_b64(text("digest")?)?,
    })
}

fn canonical(files: &[FileEntry]) -> Vec<u8> {
    let lines: Vec<_> = files.iter().map(|f| Line { digest: f.digest.to_b64(), name: &f.name, size: f.size }).collect();
    jcs(&lines)
}

impl FileSet {
    /// Hashes every file, at some 2 GB/s a core where the processor has SHA instructions, with 2 MiB of memory. `report`
    /// is called after every mebibyte, from two threads.
    ///
    /// One file gives its own name; one folder gives the names below it; of several paths each name begins with the last
    /// part of its path, so that a base model and an adapter may each have a `config.json`.
    ///
    /// # Errors
    /// [`MeasureError`]; among others [`MeasureError::Changed`] when a file is written, added or removed meanwhile.
    pub fn manifest(&self, report: &(dyn Fn(Progress) + Sync)) -> Result<Measured<Manifest>, MeasureError> {
        let (found, stamp) = self.look(SystemTime::now())?;
        let names: Vec<String> = found.iter().map(|f| self.name(f)).collect::<Result<_, _>>()?;
        distinct(&names).map_err(|(first, second)| MeasureError::SameName { first, second })?;
        if let Some(huge) = found.iter().find(|f| f.stamp.size > MAX_SIZE) {
            return Err(MeasureError::TooLarge { path: huge.path.clone(), limit: MAX_SIZE });
        }
        let digests = hash::hash_all(&found, report)?;
        self.settled(&stamp)?;
        let files = names.into_iter().zip(&found).zip(digests);
        let files = files.map(|((name, f), digest)| FileEntry { name, size: f.stamp.size, digest }).collect();
        Ok(Measured { value: Manifest::of(files), stamp })
    }

    fn name(&self, found: &Found) -> Result<String, MeasureError> {
        if self.paths.len() == 1 && !found.name.is_empty() {
            return Ok(found.name.clone());
        }
        let root = self.paths.get(found.root).map_or(Path::new(""), |p| p);
        let last = root.file_name().ok_or_else(|| MeasureError::NoName { path: root.into() })?;
        let last = last.to_str().ok_or_else(|| MeasureError::Name { path: root.into() })?;
        Ok(if found.name.is_empty() { last.to_owned() } else { [last, "/", &found.name].concat() })
    }
}
