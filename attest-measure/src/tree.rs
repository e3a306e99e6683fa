//! Which files a set of paths holds.

use std::fs::{self, FileType, Metadata};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use crate::error::{Kind, MeasureError};
use crate::fileset::Links;
use crate::hub;
use crate::stamp::FileStamp;

/// Files and folders together. The largest published models have some thousands of files.
pub(crate) const MAX_ENTRIES: usize = 100_000;
const MAX_DEPTH: usize = 64;

/// A file of the set.
#[derive(Debug)]
pub(crate) struct Found {
    /// Which of the paths it was found under.
    pub(crate) root: usize,
    /// Path below that one, parts joined by `/`; empty where the path is the file.
    pub(crate) name: String,
    /// Where to open it.
    pub(crate) path: PathBuf,
    pub(crate) stamp: FileStamp,
}

/// All files, in the order of the paths and, under each, of the names' UTF-8 bytes. Nothing is skipped but what is
/// named in `left_out`: a file whose name begins with a dot is a file.
pub(crate) fn list(roots: &[PathBuf], links: &Links, left_out: &[String]) -> Result<Vec<Found>, MeasureError> {
    if roots.is_empty() {
        return Err(MeasureError::NoPaths);
    }
    let mut all = Vec::new();
    for (root, path) in roots.iter().enumerate() {
        // The path itself may be a link: whoever configured it meant what it leads to.
        let metadata = fs::metadata(path).map_err(|e| missing(path, e))?;
        if metadata.is_file() {
            all.push(Found { root, name: String::new(), path: path.clone(), stamp: FileStamp::of(&metadata) });
            continue;
        }
        if !metadata.is_dir() {
            return Err(MeasureError::NotAFile { path: path.clone(), kind: kind(metadata.file_type()) });
        }
        let folder = canonical(path)?;
        let bound = match links {
            Links::Within(within) => Some(canonical(within)?),
            Links::Inside => Some(hub::repository(&folder).unwrap_or_else(|| folder.clone())),
            Links::Held => None,
        };
        let mut walk = Walk { root, bound, left_out, above: Vec::new(), entries: 0, found: Vec::new() };
        walk.folder(&folder, "", &metadata)?;
        if walk.found.is_empty() {
            return Err(MeasureError::Empty { path: path.clone() });
        }
        walk.found.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        all.append(&mut walk.found);
    }
    Ok(all)
}

struct Walk<'a> {
    root: usize,
    left_out: &'a [String],
    /// Canonical path that no link may lead out of; `None` where links lead to open files.
    bound: Option<PathBuf>,
    /// Device and inode of the folders from the root to here.
    above: Vec<(u64, u64)>,
    entries: usize,
    found: Vec<Found>,
}

impl Walk<'_> {
    /// `path` is where the folder is, `prefix` what its files' names begin with; the two part ways behind a link.
    fn folder(&mut self, path: &Path, prefix: &str, metadata: &Metadata) -> Result<(), MeasureError> {
        let identity = (metadata.dev(), metadata.ino());
        if self.above.contains(&identity) {
            return Err(MeasureError::LinkLoop { path: path.into() });
        }
        if self.above.len() >= MAX_DEPTH {
            return Err(MeasureError::TooMany { path: path.into(), limit: MAX_ENTRIES });
        }
        self.above.push(identity);
        for entry in fs::read_dir(path).map_err(|source| MeasureError::Io { path: path.into(), source })? {
            let entry = entry.map_err(|source| MeasureError::Io { path: path.into(), source })?;
            self.entries += 1;
            // Links can make few folders look like very many; entries are counted as often as they are met.
            if self.entries > MAX_ENTRIES {
                return Err(MeasureError::TooMany { path: path.into(), limit: MAX_ENTRIES });
            }
            let here = entry.path();
            let Ok(part) = entry.file_name().into_string() else {
                return Err(MeasureError::Name { path: here });
            };
            self.entry(here, [prefix, &part].concat())?;
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, path: PathBuf, name: String) -> Result<(), MeasureError> {
        if self.left_out.contains(&name) {
            return Ok(());
        }
        let metadata = fs::symlink_metadata(&path).map_err(|e| vanished(&path, e))?;
        let (path, metadata) = if metadata.is_symlink() { self.follow(path)? } else { (path, metadata) };
        if metadata.is_dir() {
            return self.folder(&path, &(name + "/"), &metadata);
        }
        if !metadata.is_file() {
            return Err(MeasureError::NotAFile { path, kind: kind(metadata.file_type()) });
        }
        self.found.push(Found { root: self.root, name, path, stamp: FileStamp::of(&metadata) });
        Ok(())
    }

    /// What a link leads to, if that is within the bound.
    fn follow(&self, link: PathBuf) -> Result<(PathBuf, Metadata), MeasureError> {
        let Some(bound) = &self.bound else {
            // By way of the link itself: the name that it shows may be another file's by now.
            let metadata = fs::metadata(&link).map_err(|e| vanished(&link, e))?;
            return Ok((link, metadata));
        };
        let target = match fs::canonicalize(&link) {
            Ok(target) => target,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Err(MeasureError::LinkDangling { path: link }),
            Err(e) if is_loop(&e) => return Err(MeasureError::LinkLoop { path: link }),
            Err(source) => return Err(MeasureError::Io { path: link, source }),
        };
        if !target.starts_with(bound) {
            return Err(MeasureError::LinkOutside { link, target });
        }
        let metadata = fs::symlink_metadata(&target).map_err(|e| vanished(&link, e))?;
        // The target was the end of all links a moment ago.
        if metadata.is_symlink() {
            return Err(MeasureError::Changed { path: link });
        }
        // A folder that the link leads back up to: named here by the link, which is what a person can remove.
        if self.above.contains(&(metadata.dev(), metadata.ino())) {
            return Err(MeasureError::LinkLoop { path: link });
        }
        Ok((target, metadata))
    }
}

pub(crate) fn kind(file_type: FileType) -> Kind {
    if file_type.is_dir() {
        Kind::Folder
    } else if file_type.is_fifo() {
        Kind::Fifo
    } else if file_type.is_socket() {
        Kind::Socket
    } else {
        Kind::Device
    }
}

fn canonical(path: &Path) -> Result<PathBuf, MeasureError> {
    fs::canonicalize(path).map_err(|e| missing(path, e))
}

fn missing(path: &Path, source: io::Error) -> MeasureError {
    let path = path.to_path_buf();
    if source.kind() == io::ErrorKind::NotFound {
        MeasureError::Missing { path }
    } else if is_loop(&source) {
        MeasureError::LinkLoop { path }
    } else {
        MeasureError::Io { path, source }
    }
}

/// For what was there a moment ago.
pub(crate) fn vanished(path: &Path, source: io::Error) -> MeasureError {
    let path = path.to_path_buf();
    if source.kind() == io::ErrorKind::NotFound {
        MeasureError::Changed { path }
    } else {
        MeasureError::Io { path, source }
    }
}

fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}
