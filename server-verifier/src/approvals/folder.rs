//! Requests in a folder beside a log's file: a folder for each, for its owner alone.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use attest_core::digest::{Digest, Salt};

use super::requests::{Files, REQUEST, RequestsError, SECRET};

/// The folder beside a log.
pub(super) fn folder_of(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".approvals");
    name.into()
}

/// The folder.
pub(super) struct Folder<'p>(pub &'p Path);

impl Folder<'_> {
    /// Makes it, or refuses one that others may enter.
    pub(super) fn make(&self) -> Result<(), RequestsError> {
        make_private(self.0).map_err(at(self.0))
    }

    fn place(&self, request: Digest) -> PathBuf {
        self.0.join(request.to_b64())
    }
}

impl Files for Folder<'_> {
    fn requests(&self) -> Result<BTreeSet<Digest>, RequestsError> {
        let mut found = BTreeSet::new();
        let entries = match fs::read_dir(self.0) {
            // Nobody was asked yet.
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(found),
            entries => entries.map_err(at(self.0))?,
        };
        for entry in entries {
            let entry = entry.map_err(at(self.0))?;
            let id = entry.file_name().to_str().and_then(Digest::from_b64);
            // A link is no folder here.
            found.extend(id.filter(|_| entry.file_type().is_ok_and(|kind| kind.is_dir())));
        }
        Ok(found)
    }

    fn names(&self, request: Digest) -> Result<Option<BTreeSet<String>>, RequestsError> {
        let place = self.place(request);
        let entries = match fs::read_dir(&place) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            entries => entries.map_err(at(&place))?,
        };
        let names = entries.filter_map(|entry| entry.map(|entry| entry.file_name().into_string().ok()).transpose());
        let names = names.collect::<io::Result<BTreeSet<_>>>().map_err(at(&place))?;
        // But for what is being written.
        Ok(Some(names.into_iter().filter(|name| !name.starts_with('.')).collect()))
    }

    fn read(&self, request: Digest, name: &str, most: usize) -> Result<Option<Vec<u8>>, RequestsError> {
        let path = self.place(request).join(name);
        match read(&path, most) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(at(&path)),
        }
    }

    fn write(&self, request: Digest, name: &str, bytes: &[u8]) -> Result<(), RequestsError> {
        let place = self.place(request);
        if name == REQUEST {
            make_private(&place).map_err(at(&place))?;
        }
        let path = place.join(name);
        write(&path, bytes).map_err(at(&path))
    }

    /// What cannot be removed keeps no other request waiting.
    fn remove(&self, request: Digest) -> Result<(), RequestsError> {
        let place = self.place(request);
        if let Err(error) = fs::remove_dir_all(&place)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::error!("{} cannot be removed, and holds arguments: {error}", place.display());
        }
        Ok(())
    }

    fn secret(&self) -> Result<Option<Vec<u8>>, RequestsError> {
        let path = self.0.join(SECRET);
        match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => bytes.map(Some).map_err(at(&path)),
        }
    }

    fn set_secret(&self, secret: &Salt) -> Result<(), RequestsError> {
        let path = self.0.join(SECRET);
        write(&path, &secret.0).map_err(at(&path))
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RequestsError {
    let path = path.to_owned();
    move |source| RequestsError::Folder { path, source }
}

/// The bytes of a file that is none of somebody else's by way of a link, and not longer than `most`.
fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let no_link = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(no_link.bits()).map_err(io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a file"));
    }
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > most { Err(io::Error::other("longer than it may be")) } else { Ok(bytes) }
}

/// Writes a file for its owner alone, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}

/// Makes a folder that its owner alone may enter; refuses one that others may.
fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(folder)?;
    if !found.is_dir() || found.mode() & 0o077 != 0 {
        let text = format!("{} must be a folder that its owner alone may enter (chmod 700)", folder.display());
        return Err(io::Error::other(text));
    }
    Ok(())
}
