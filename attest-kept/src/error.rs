//! What can go wrong.

use std::io;
use std::path::PathBuf;

/// Why something is not kept, or not erased.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeptError {
    /// The operating system refused.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others can read or replace it.
    #[error("{path}: others may read or write it, or it is no regular file of yours; chmod 600 it, or move it away", path = path.display())]
    Mode {
        /// The file.
        path: PathBuf,
    },
    /// SQLite refused.
    #[error("{path}: {source}", path = path.display())]
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Another program's file, or another version's.
    #[error("{path}: not a file of what is kept beside a log in a version known here; move it away", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The rows are gone from the table, but a reader still holds the write-ahead file.
    #[error("{path}: erased, but another program reads the file and so the bytes are still in it; close it and erase again", path = path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// A write failed before; nothing is kept since.
    #[error("{path}: a write failed ({reason}); nothing is kept until the program starts again", path = path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
        /// What failed.
        reason: String,
    },
}
