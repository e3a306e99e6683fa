//! The manifest of a set of files: `model-weights` and `harness`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use serde::{Serialize, Serializer};

use crate::Measured;
use crate::error::MeasureError;
use crate::fileset::FileSet;
use crate::hash::{self, Hashed, Progress};
use crate::stamp::Stamp;
use crate::tensors::{self, FileTensors, TensorManifest};
use crate::tree::Found;

/// Sizes are JSON numbers, which are exact up to here.
pub(crate) const MAX_SIZE: u64 = (1 << 53) - 1;

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

#[derive(Serialize)]
struct Line<'a> {
    digest: String,
    name: &'a str,
    size: u64,
}

impl Manifest {
    pub(crate) fn of(mut files: Vec<FileEntry>) -> Self {
        files.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        let digest = Digest::of(jcs(&lines(&files)));
        Self { files, digest }
    }

    /// The bytes that the digest is over.
    pub fn canonical(&self) -> Vec<u8> {
        jcs(self)
    }

    /// The sum of the sizes, in bytes.
    pub fn size(&self) -> u64 {
        self.files.iter().fold(0, |sum, f| sum.saturating_add(f.size))
    }
}

/// What reading a set gives: the files, where they are, the tensors in them, the state they were in.
type Read = (Vec<FileEntry>, Vec<Found>, Vec<FileTensors>, Stamp);

/// Two names that differ at most in the case of ASCII letters are refused: where case is not told apart they are one file,
/// and which one is a matter of luck.
pub(crate) fn distinct<'n>(names: impl IntoIterator<Item = &'n String>) -> Result<(), (String, String)> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for name in names {
        if let Some(first) = seen.insert(name.to_ascii_lowercase(), name) {
            return Err((first.to_owned(), name.clone()));
        }
    }
    Ok(())
}

/// The array that the digest is over.
fn lines(files: &[FileEntry]) -> Vec<Line<'_>> {
    files.iter().map(|f| Line { digest: f.digest.to_b64(), name: &f.name, size: f.size }).collect()
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        lines(&self.files).serialize(serializer)
    }
}

impl FileSet {
    /// Hashes every file, at some 2 GB/s a core where the processor has SHA instructions, with 2 MiB of memory. `report`
    /// is called after every mebibyte, from two threads.
    ///
    /// One file gives its own name; one folder gives the names below it; of several paths each name begins with the last
    /// part of its path, so that a base model and an adapter may each have a `config.json`.
    ///
    /// # Errors
    /// [`MeasureError`]; among others [`MeasureError::Changed`] when a file is written, added or removed meanwhile, and
    /// [`MeasureError::Cancelled`] ([`cancelled_by`](Self::cancelled_by)).
    pub fn manifest(&self, report: &(dyn Fn(Progress) + Sync)) -> Result<Measured<Manifest>, MeasureError> {
        let (files, _, _, stamp) = self.read(false, report)?;
        Ok(Measured { value: Manifest::of(files), stamp })
    }

    /// As [`manifest`](Self::manifest), and in the same pass over the bytes the digests of the tensors in safetensors and GGUF files. It
    /// costs a second hash over those bytes: half the rate.
    ///
    /// # Errors
    /// As [`manifest`](Self::manifest); [`MeasureError::Tensors`] for a file or an index that is not what its name says, and
    /// [`MeasureError::NoTensors`] where no file has any: a manifest of nothing would look like a measurement.
    pub fn manifest_and_tensors(
        &self,
        report: &(dyn Fn(Progress) + Sync),
    ) -> Result<Measured<(Manifest, TensorManifest)>, MeasureError> {
        let (files, found, inside, stamp) = self.read(true, report)?;
        tensors::check_indexes(&found, &files, &inside)?;
        let tensors = TensorManifest::of(inside);
        if tensors.files.is_empty() {
            return Err(MeasureError::NoTensors { path: self.first() });
        }
        // The indexes were read after the files had settled, and held against the digests.
        Ok(Measured { value: (Manifest::of(files), tensors), stamp })
    }

    /// Files and tensors in the order in which they are listed.
    fn read(&self, tensors: bool, report: &(dyn Fn(Progress) + Sync)) -> Result<Read, MeasureError> {
        let now = SystemTime::now();
        let (found, stamp) = self.look(now)?;
        let names: Vec<String> = self.named(&found)?.into_iter().map(|(name, _)| name).collect();
        if let Some(huge) = found.iter().find(|f| f.stamp.size > MAX_SIZE) {
            return Err(MeasureError::TooLarge { path: huge.path.clone(), limit: MAX_SIZE });
        }
        let hashed =
            hash::hash_each(&found, tensors, self.cache.as_deref().map(|cache| (cache, now)), &self.cancel, report)?;
        self.settled(&stamp)?;
        let (mut files, mut inside) = (Vec::with_capacity(found.len()), Vec::new());
        for ((name, f), Hashed { digest, tensors }) in names.into_iter().zip(&found).zip(hashed) {
            inside.extend(tensors.map(|tensors| FileTensors { file: name.clone(), ..tensors }));
            files.push(FileEntry { name, size: f.stamp.size, digest });
        }
        Ok((files, found, inside, stamp))
    }

    /// Where the files are, each as it can be opened.
    ///
    /// # Errors
    /// [`MeasureError`], as of [`stamp`](Self::stamp).
    pub fn places(&self) -> Result<Vec<PathBuf>, MeasureError> {
        Ok(self.look(SystemTime::now())?.0.into_iter().map(|found| found.path).collect())
    }

    /// Whether one file is still what a manifest says, read again from its first byte to its last.
    ///
    /// # Errors
    /// [`MeasureError`].
    pub fn still(&self, entry: &FileEntry) -> Result<bool, MeasureError> {
        let (found, _) = self.look(SystemTime::now())?;
        let named = self.named(&found)?;
        let Some(at) = named.iter().position(|(name, _)| *name == entry.name) else { return Ok(false) };
        let one = found.get(at..=at).unwrap_or_default();
        Ok(hash::hash_all(one, &self.cancel)?.first() == Some(&entry.digest))
    }

    /// The files with the names that they have in the manifest.
    pub(crate) fn named<'f>(&self, found: &'f [Found]) -> Result<Vec<(String, &'f Found)>, MeasureError> {
        let names: Vec<String> = found.iter().map(|f| self.name(f)).collect::<Result<_, _>>()?;
        distinct(&names).map_err(|(first, second)| MeasureError::SameName { first, second })?;
        Ok(names.into_iter().zip(found).collect())
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
