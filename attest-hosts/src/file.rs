//! Files: read with care, replaced in one step, copied once before the first change.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// What the copy of the file before the first change is called: the file's name and this ending.
pub const BACKUP: &str = "attest-backup";

/// Longest configuration in bytes. Claude Code keeps more in its file than servers.
const LONGEST: u64 = 64 << 20;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The system refuses.
    #[error("cannot {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a device, a pipe.
    #[error("{path} is not a regular file", path = path.display())]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// Longer than any configuration.
    #[error("{path} is longer than 64 MiB; that is no host's configuration", path = path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Not text.
    #[error("{path}: line {line}: not UTF-8; save it as UTF-8 and try again", path = path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Somebody else wrote it meanwhile.
    #[error("{path} was changed by another program meanwhile; nothing was written. Close the host and try again", path = path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { what, path, source }
}

/// A configuration as it was read.
#[derive(Clone, Debug)]
pub(crate) struct Original {
    /// The file itself: links are followed.
    pub path: PathBuf,
    /// Its text, without a byte order mark.
    pub text: String,
    mark: bool,
    mode: u32,
    owner: (u32, u32),
}

const MARK: &str = "\u{feff}";

/// Reads a configuration.
pub(crate) fn read(path: &Path) -> Result<Original, FileError> {
    let path = path.canonicalize().map_err(failed("find", path))?;
    // NONBLOCK: opening a FIFO would otherwise wait for somebody to write to it.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&path).map_err(failed("open", &path))?;
    let metadata = file.metadata().map_err(failed("read", &path))?;
    if !metadata.is_file() {
        return Err(FileError::NotAFile { path });
    }
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
    if bytes.len() as u64 > LONGEST {
        return Err(FileError::TooLong { path });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        FileError::Encoding { path: path.clone(), line: 1 + good.iter().filter(|byte| **byte == b'\n').count() }
    })?;
    let (mark, text) = match text.strip_prefix(MARK) {
        Some(rest) => (true, rest.to_owned()),
        None => (false, text),
    };
    Ok(Original { path, text, mark, mode: metadata.mode() & 0o7777, owner: (metadata.uid(), metadata.gid()) })
}

impl Original {
    fn is_as_it_was(&self) -> Result<bool, FileError> {
        let now = read(&self.path)?;
        Ok(now.text == self.text && now.mark == self.mark)
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        [if self.mark { MARK } else { "" }, text].concat().into_bytes()
    }

    /// Copies the file, once: a copy that is there is the older one and stays. Says whether one was made.
    pub fn back_up(&self) -> Result<Option<PathBuf>, FileError> {
        let path = beside(&self.path, BACKUP);
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            made => made.map_err(failed("create", &path))?,
        };
        let written = file.write_all(&self.bytes(&self.text)).and_then(|()| {
            file.set_permissions(std::fs::Permissions::from_mode(self.mode & 0o777))?;
            file.sync_all()
        });
        written.map_err(|source| {
            // Half a copy is none, and would stand in the way of a whole one.
            let _ = std::fs::remove_file(&path);
            FileError::Io { what: "write", path: path.clone(), source }
        })?;
        Ok(Some(path))
    }

    /// Takes the copy away where the file says the same again; a later run then copies what it finds.
    pub fn drop_backup(&self, text: &str) -> Result<(), FileError> {
        let path = beside(&self.path, BACKUP);
        if std::fs::read(&path).is_ok_and(|copy| copy == self.bytes(text)) {
            std::fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }

    /// Puts `text` in the file's place, with its mode and owner, unless somebody changed it since it was read. Between the
    /// last look and the renaming lie some microseconds, which no system call closes.
    pub fn replace(&self, text: &str) -> Result<(), FileError> {
        let unchanged = || match self.is_as_it_was()? {
            true => Ok(()),
            false => Err(FileError::Changed { path: self.path.clone() }),
        };
        write(&self.path, &self.bytes(text), self.mode, Some(self.owner), unchanged)
    }
}

/// The file's name with another ending added.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    path.with_added_extension(ending)
}

/// Writes a file in one step: whoever reads it sees all of the old or all of the new. `last` is asked before the renaming.
pub(crate) fn write(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    owner: Option<(u32, u32)>,
    last: impl FnOnce() -> Result<(), FileError>,
) -> Result<(), FileError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new =
        tempfile::Builder::new().prefix(".attest-").tempfile_in(folder).map_err(failed("write in", folder))?;
    let fill = |new: &mut tempfile::NamedTempFile| {
        new.write_all(bytes)?;
        if let Some((user, group)) = owner {
            let ours = new.as_file().metadata()?;
            if (ours.uid(), ours.gid()) != (user, group) {
                let (user, group) = (rustix::fs::Uid::from_raw(user), rustix::fs::Gid::from_raw(group));
                rustix::fs::fchown(new.as_file(), Some(user), Some(group))?;
            }
        }
        // After the owner: changing it takes set-user-id bits away.
        new.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
        new.as_file().sync_all()
    };
    fill(&mut new).map_err(failed("write", path))?;
    last()?;
    new.persist(path).map_err(|error| failed("replace", path)(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed("sync", folder))
}
