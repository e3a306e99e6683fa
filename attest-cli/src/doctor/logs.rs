//! The files of a log.

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use attest_log::{OpenError, Place, Reader};

use super::Findings;

const ABOUT: &str = "log";

/// Looks at what can be seen without opening the database: SQLite's locks are not ours to touch.
pub(super) fn look(log: &Place, findings: &mut Findings) {
    let log = match log {
        Place::File(log) => log,
        Place::Shared(_) => match Reader::open(log).map(|reader| reader.len()) {
            Ok(Ok(size)) => {
                return findings.ok(ABOUT, format_args!("{log} can be reached, and has {size} entries"));
            }
            Ok(Err(error)) => return findings.wrong(ABOUT, error),
            Err(error @ OpenError::NotALog { .. }) => {
                return findings.warning(ABOUT, format_args!("{error}; it is made at first use"));
            }
            Err(error) => return findings.wrong(ABOUT, error),
        },
    };
    let folder = log.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return findings.wrong(
            ABOUT,
            format_args!("there is no folder {}; run: mkdir -p '{}'", folder.display(), folder.display()),
        );
    }
    if !log.exists() {
        return findings.ok(ABOUT, format_args!("{} is not there yet; it is made at first use", log.display()));
    }
    let before = findings.0.len();
    for path in ["", "-wal", "-shm", ".head", ".lock"].map(|ending| beside(log, ending)) {
        match path.symlink_metadata() {
            Ok(meta) if !meta.is_file() => findings.wrong(
                ABOUT,
                format_args!("{} is not a regular file; move it away, and restore the log's own", path.display()),
            ),
            Ok(meta) if meta.mode() & 0o077 != 0 => findings.wrong(
                ABOUT,
                format_args!(
                    "{} is open to other users (mode {:04o}); run: chmod 600 '{}'",
                    path.display(),
                    meta.mode() & 0o7777,
                    path.display()
                ),
            ),
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                findings.wrong(ABOUT, format_args!("cannot look at {}: {error}", path.display()));
            }
            _ => {}
        }
    }
    if !beside(log, ".head").exists() {
        findings.wrong(
            ABOUT,
            format_args!(
                "{} has no record of what it published (.head): an older copy would not be noticed; see `attest log verify`, \
                 then `attest log adopt`",
                log.display()
            ),
        );
    }
    if findings.0.len() == before {
        let who = match File::open(beside(log, ".lock")).map(|file| file.try_lock_shared()) {
            Ok(Err(TryLockError::WouldBlock)) => "; a program is writing it",
            _ => "; no program is writing it",
        };
        findings.ok(ABOUT, format_args!("{}: modes and record are right{who}", log.display()));
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
