//! What can go wrong.

use std::path::PathBuf;

/// Why nothing is found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForensicsError {
    /// The log cannot be opened.
    #[error(transparent)]
    Open(#[from] attest_log::OpenError),
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] attest_log::ReadError),
    /// What is kept beside it cannot be read.
    #[error(transparent)]
    Kept(#[from] attest_kept::KeptError),
    /// The log's own checkpoint does not hold.
    #[error("the checkpoint of {log} does not hold ({source}); `attest log verify` says more", log = log.display())]
    Checkpoint {
        /// The log.
        log: PathBuf,
        /// Why not.
        source: attest_core::checkpoint::CheckpointError,
    },
    /// The index.
    #[error("the index {path}: {source}; it holds nothing of its own: remove it, and it is made anew", path = path.display())]
    Index {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A log that is not what its own checkpoint is over.
    #[error("{log} is not what its checkpoint is over, so none of it is passed on; `attest log verify` says where", log = log.display())]
    NotWhole {
        /// The log.
        log: PathBuf,
    },
    /// What is passed on cannot be written.
    #[error("cannot write what is passed on: {0}")]
    Write(#[source] std::io::Error),
    /// An entry that is not in the tree that the log's checkpoint is of.
    #[error("entry {index} of {log} is not what the log's checkpoint is over; `attest log verify` says more", log = log.display())]
    NotProved {
        /// The log.
        log: PathBuf,
        /// The entry.
        index: u64,
    },
    /// A log that was read before, and whose tree is no longer a continuation of what it was then.
    #[error("{log} is no continuation of what it was before: somebody cut, changed or exchanged it meanwhile", log = log.display())]
    NotContinued {
        /// The log.
        log: PathBuf,
    },
}
