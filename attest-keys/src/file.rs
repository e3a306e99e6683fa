//! Key files: how they are opened, whose they may be, and how they come into being.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::buffer::SecretBuffer;
use crate::error::KeyError;

/// Mode of a file with a private key in it, sealed or not.
pub const PRIVATE_MODE: u32 = 0o600;
/// Mode of a file with public keys in it.
pub const PUBLIC_MODE: u32 = 0o644;

/// Whether what a file holds must be kept from others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Secrecy {
    Private,
    Public,
}

/// Opens, checks and reads a key file. All checks are made on the open descriptor, so that the file that was checked
/// is the file that is read.
pub(crate) fn read(path: &Path, secrecy: Secrecy) -> Result<SecretBuffer, KeyError> {
    // NONBLOCK: opening a FIFO would otherwise wait for somebody to write to it.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .map_err(|source| opening(path, source))?;
    let metadata = file.metadata().map_err(|source| KeyError::Io { path: path.into(), source })?;
    if !metadata.is_file() {
        return Err(KeyError::NotAFile { path: path.into() });
    }
    if secrecy == Secrecy::Private {
        private(path, &metadata, rustix::process::geteuid().as_raw())?;
    }
    match SecretBuffer::read(&file) {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(KeyError::TooLarge { path: path.into() }),
        Err(source) => Err(KeyError::Io { path: path.into(), source }),
    }
}

/// Ours or root's, and nobody else's to read, write or run.
fn private(path: &Path, metadata: &Metadata, user: u32) -> Result<(), KeyError> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    if !may_own(owner, user) {
        return Err(KeyError::Owner { path: path.into(), owner, user });
    }
    if mode & 0o077 != 0 {
        return Err(KeyError::Permissions { path: path.into(), mode });
    }
    Ok(())
}

/// Root could replace the file anyway; any other owner could change its mode and read it.
fn may_own(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

fn opening(path: &Path, source: io::Error) -> KeyError {
    let path = path.to_path_buf();
    let raw = source.raw_os_error();
    let is = |e: Errno| raw == Some(e.raw_os_error());
    if source.kind() == io::ErrorKind::NotFound {
        KeyError::Missing { path }
    } else if is(Errno::LOOP) {
        KeyError::Symlink { path }
    } else if is(Errno::NXIO) {
        // What Linux says about opening a socket.
        KeyError::NotAFile { path }
    } else {
        KeyError::Io { path, source }
    }
}

/// Creates a key file of the given mode, synced to disk with its folder. Never overwrites. After an error the file is
/// removed again: half a key is no key.
///
/// # Errors
/// [`KeyError::Exists`], [`KeyError::Io`].
pub fn create(path: &Path, text: &[u8], mode: u32) -> Result<(), KeyError> {
    // `create_new` is O_EXCL, which follows no link either.
    let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(|source| {
        if source.kind() == io::ErrorKind::AlreadyExists {
            KeyError::Exists { path: path.into() }
        } else {
            KeyError::Io { path: path.into(), source }
        }
    })?;
    fill(&file, path, text).map_err(|source| {
        // The first error is the one to report; this one could only repeat it.
        let _ = std::fs::remove_file(path);
        KeyError::Io { path: path.into(), source }
    })
}

/// Content, then the name: without the second sync a power cut can lose a key whose public half is already enrolled.
fn fill(mut file: &File, path: &Path, text: &[u8]) -> io::Result<()> {
    file.write_all(text)?;
    file.sync_all()?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::may_own;

    #[test]
    fn a_key_file_is_its_users_or_roots() {
        assert!(may_own(1000, 1000));
        assert!(may_own(0, 1000));
        assert!(!may_own(1001, 1000));
        // Root reads everything, but a key that somebody else owns can be replaced by them.
        assert!(!may_own(1000, 0));
    }
}
