//! The file and its lock: who may open it, and that one writer has it.
//!
//! The database file itself is never opened here once it exists: closing any descriptor of a file drops all POSIX locks
//! that the process holds on it, SQLite's included (sqlite.org/howtocorrupt.html, section 2.2).

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::error::OpenError;

/// Any permission of group or others.
const WIDE: u32 = 0o077;

/// Absolute, with the directory's own links resolved, so that the last component alone is judged and the name means the
/// same for as long as the log is open.
pub(crate) fn resolve(path: &Path) -> Result<PathBuf, OpenError> {
    let Some(name) = path.file_name() else {
        return Err(OpenError::NotAFile { path: path.into() });
    };
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().map_err(|source| OpenError::Io { path: parent.into(), source })?;
    Ok(parent.join(name))
}

/// A file beside the database: `beside("x.db", "-wal")` is `x.db-wal`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Held for as long as a writer lives; the operating system drops it with the process, however that ends.
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes `<path>.lock`. The lock file stays when the log is closed: removing it would let two writers lock two
    /// different files of the same name.
    pub(crate) fn take(path: &Path) -> Result<Self, OpenError> {
        let lock = beside(path, ".lock");
        let found = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&lock);
        let file = match found {
            Ok(file) => file,
            Err(_) if is_symlink(&lock) => return Err(OpenError::Symlink { path: lock }),
            Err(source) => return Err(OpenError::Io { path: lock, source }),
        };
        let meta = file.metadata().map_err(|source| OpenError::Io { path: lock.clone(), source })?;
        // Whoever can open the lock file can hold it and keep the log from starting.
        judge(&lock, &meta)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.into() }),
            Err(TryLockError::Error(source)) => Err(OpenError::Io { path: lock, source }),
        }
    }
}

/// Makes the database file where there is none, mode 0600 from its first moment (SQLite gives its `-wal` and `-shm`
/// the same), and judges what is there otherwise. To be called with the lock held.
pub(crate) fn prepare(path: &Path) -> Result<(), OpenError> {
    for suffix in ["-wal", "-shm", ".head"] {
        let side = beside(path, suffix);
        match fs::symlink_metadata(&side) {
            Ok(meta) => judge(&side, &meta)?,
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(OpenError::Io { path: side, source }),
        }
    }
    match fs::symlink_metadata(path) {
        Ok(meta) => judge(path, &meta),
        Err(e) if e.kind() == ErrorKind::NotFound => {
            create(path).map_err(|source| OpenError::Io { path: path.into(), source })
        }
        Err(source) => Err(OpenError::Io { path: path.into(), source }),
    }
}

/// Judges a file that must be there.
pub(super) fn existing(path: &Path) -> Result<(), OpenError> {
    match fs::symlink_metadata(path) {
        Ok(meta) => judge(path, &meta),
        Err(source) => Err(OpenError::Io { path: path.into(), source }),
    }
}

fn create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.sync_all()?;
    // SQLite syncs the directory for its own journals only; without this the file's name may be lost in a power cut.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all())
}

fn judge(path: &Path, meta: &fs::Metadata) -> Result<(), OpenError> {
    if meta.file_type().is_symlink() {
        return Err(OpenError::Symlink { path: path.into() });
    }
    if !meta.is_file() {
        return Err(OpenError::NotAFile { path: path.into() });
    }
    if meta.mode() & WIDE != 0 {
        return Err(OpenError::Mode { path: path.into(), mode: meta.mode() & 0o7777 });
    }
    Ok(())
}

fn is_symlink(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_symlink())
}
