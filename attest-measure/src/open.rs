//! Opening a listed file, and knowing that it is still the same after it was read.

use std::fs::{File, OpenOptions};
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::OFlags;

use crate::error::{Kind, MeasureError};
use crate::fileset::Links;
use crate::stamp::{FileStamp, Stamp};
use crate::tree::{self, Found};

/// Opens a listed file. What was put in its place since it was listed is noticed on the open descriptor, so no link has
/// to be forbidden here.
pub(crate) fn open(found: &Found) -> Result<File, MeasureError> {
    // NONBLOCK: a FIFO put in the file's place must not make us wait for a writer.
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(&found.path)
        .map_err(|e| tree::vanished(&found.path, e))?;
    unchanged(&file, found)?;
    Ok(file)
}

/// Asked of the descriptor once more when everything was read.
pub(crate) fn unchanged(file: &File, found: &Found) -> Result<(), MeasureError> {
    let metadata = file.metadata().map_err(|source| MeasureError::Io { path: found.path.clone(), source })?;
    if metadata.is_file() && FileStamp::of(&metadata) == found.stamp {
        return Ok(());
    }
    Err(MeasureError::Changed { path: found.path.clone() })
}

/// Reads one small file whole.
pub(crate) fn read_whole(path: &Path, limit: u64) -> Result<(Vec<u8>, Stamp), MeasureError> {
    if path.is_dir() {
        return Err(MeasureError::NotAFile { path: path.into(), kind: Kind::Folder });
    }
    let now = SystemTime::now();
    let listed = tree::list(&[path.to_path_buf()], &Links::Inside, &[])?;
    let [found] = listed.as_slice() else {
        return Err(MeasureError::Changed { path: path.into() });
    };
    if found.stamp.size > limit {
        return Err(MeasureError::TooLarge { path: path.into(), limit });
    }
    let file = open(found)?;
    let mut bytes = Vec::new();
    (&file).take(limit + 1).read_to_end(&mut bytes).map_err(|source| MeasureError::Io { path: path.into(), source })?;
    unchanged(&file, found)?;
    if bytes.len() as u64 != found.stamp.size {
        return Err(MeasureError::Changed { path: path.into() });
    }
    Ok((bytes, Stamp::new(&listed, now)))
}
