//! What can go wrong, by whose fault: the file at opening, the caller at an append, the storage for good.

use std::io;
use std::path::PathBuf;

use crate::key::KeyFailed;
use crate::postgres::PostgresError;
use crate::record::Hash;
use crate::sealed::PartError;

/// Why a log was not opened. Nothing in an existing file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another writer holds the lock file.
    #[error("{path}: another process writes this log; stop it first, or give this one a log file of its own")]
    InUse {
        /// The database.
        path: PathBuf,
    },
    /// A symbolic link stands where the log, or a file beside it, should be.
    #[error("{path} is a symbolic link; name the file itself, so that nobody can point the log elsewhere")]
    Symlink {
        /// The link.
        path: PathBuf,
    },
    /// Something else than a regular file.
    #[error("{path} is not a regular file; name another path for the log")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others may read or write the file.
    #[error("{path} has mode {mode:04o}, others than its owner can use it; run: chmod 600 {path}")]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that is no log of ours; it was left as it is.
    #[error("{path} is not an attest log; name another path, nothing in this file was changed")]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// A log in a format that this version does not know.
    #[error(
        "{path} has log format {found}, this program knows {known}; {advice}",
        advice = if found > known {
            "use the program version that wrote it, or newer"
        } else {
            "it reads none so old, so use the program version that wrote it"
        }
    )]
    Schema {
        /// The file.
        path: PathBuf,
        /// Version in the file.
        found: i64,
        /// Version this crate writes.
        known: i64,
    },
    /// The log was moved elsewhere; what lies here does not go on.
    #[error(
        "{path} was moved to {to}, and goes on there; if nothing is there, the move was cut off: run it again: attest log move {path} {to}"
    )]
    Moved {
        /// Where it was.
        path: PathBuf,
        /// Where it is.
        to: String,
    },
    /// A shared log in a format of before, where only this one will do: reading it is no such thing.
    #[error(
        "{path} has log format {found}, and this needs {known}: start a guard of this version once, which changes it; until then the log can be read as it is"
    )]
    Older {
        /// The database.
        path: PathBuf,
        /// Version in it.
        found: i64,
        /// Version this crate writes.
        known: i64,
    },
    /// Tables, indexes or triggers are not the ones this format has.
    #[error("{path} has tables that are not those of an attest log; somebody changed it: keep it, restore a copy")]
    Altered {
        /// The file.
        path: PathBuf,
    },
    /// Entry 0 is missing, or a counter contradicts the entries.
    #[error("{path} contradicts itself, entries are missing; keep it as evidence, restore a copy")]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// The log is signed by another key, or this one was retired.
    #[error("{path} is signed by the key {in_force}, and not by {given}{hint}", hint = if *retired { ", which was retired and cannot come back" } else { "; a log gets another key by `attest log rotate`" })]
    Key {
        /// The database.
        path: PathBuf,
        /// The key in force.
        in_force: String,
        /// The one it was opened with.
        given: String,
        /// Whether the latter signed before.
        retired: bool,
    },
    /// The key did not sign the first checkpoint.
    #[error("{path}: {source}")]
    KeyFailed {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: KeyFailed,
    },
    /// The last checkpoint in the database is not the log's, or not of these entries.
    #[error(
        "{path}: the entries are not those that the log's last checkpoint was signed over; keep the file as evidence and run: attest log verify {path}"
    )]
    Tree {
        /// The database.
        path: PathBuf,
    },
    /// The database is older than what the log has published.
    #[error(
        "{path} has {found} entries, but this log has published a checkpoint of {published} ({head}): an old copy was put in its place. Restore the newer one; if it is lost, `attest log adopt {path}` goes on with this one"
    )]
    RolledBack {
        /// The database.
        path: PathBuf,
        /// The record.
        head: PathBuf,
        /// Its entries.
        found: u64,
        /// Entries of the published tree.
        published: u64,
    },
    /// The database is not a continuation of what the log has published.
    #[error(
        "{path} goes another way than the checkpoint of {published} entries that this log has published ({head}): keep both files as evidence, and restore the right one"
    )]
    Forked {
        /// The database.
        path: PathBuf,
        /// The record.
        head: PathBuf,
        /// Entries of the published tree.
        published: u64,
    },
    /// The record of the last published checkpoint is not there, or not one of this log.
    #[error("{head}, the record of what this log published last, {what}. Restore it; if it is lost, `attest log adopt {path}` goes on without it", what = if *missing { "is missing" } else { "holds no checkpoint by this log's key" })]
    NoHead {
        /// The database.
        path: PathBuf,
        /// The record.
        head: PathBuf,
        /// Whether there is none at all.
        missing: bool,
    },
    /// The file system cannot keep what the log promises (for SQLite: shared memory for its write-ahead file).
    #[error("{path} lies on a file system without write-ahead support (a network mount?); put the log on a local disk")]
    NoWal {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("{path}: {source}")]
    Sqlite {
        /// The database.
        path: PathBuf,
        /// What it said.
        source: rusqlite::Error,
    },
    /// The database of a shared log refused, or cannot be reached.
    #[error("{path}: {source}")]
    Postgres {
        /// Its address, without the password.
        path: PathBuf,
        /// What went wrong.
        source: PostgresError,
    },
}

/// Which part of a record is over its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Part {
    /// The entry, in bytes.
    #[error("entry")]
    Body,
    /// One token, in bytes.
    #[error("token")]
    Token,
    /// The number of tokens.
    #[error("list of tokens")]
    Tokens,
}

/// Why a record was not appended. Except after [`AppendError::Stopped`] nothing of it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The replay key is taken.
    #[error("this token was used before")]
    Replay,
    /// The replay key ended at or before the horizon: it can no longer be told from one that was used and pruned.
    #[error("this token expired so long ago that a second use of it could not be told from the first")]
    Expired,
    /// Over a limit.
    #[error("the {part} has size {size}, the limit is {limit}")]
    TooLarge {
        /// Which part.
        part: Part,
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// `opens` names a call that is open already.
    #[error("this call is open already")]
    AlreadyOpen,
    /// `closes` names a call that is not open: never opened, or closed before.
    #[error("this call is not open: it was never opened, or has its outcome")]
    NotOpen,
    /// The database of a shared log is away, or did not answer in time. Nothing of the record was written, or (a commit that
    /// was cut off, and is not found again in time) nobody can tell: then its replay key may be taken. Later appends may go.
    #[error("the log's database cannot be reached at the moment; try later")]
    Unavailable,
    /// The log takes nothing any more. A record that was waiting may or may not turn up when the log is opened again;
    /// it was acknowledged to nobody.
    #[error("the log has stopped: {0}")]
    Stopped(#[from] StopReason),
}

/// Why a log takes no more appends. Reading goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopReason {
    /// [`crate::Log::close`] was called.
    #[error("it was closed")]
    Closed,
    /// No room on the disk.
    #[error("the disk is full; free space, then restart")]
    Full,
    /// A read, write or fsync failed. After a failed fsync the operating system may show data that never reached the
    /// disk, so there is no second try.
    #[error("reading or writing the file failed (SQLite code {code}); check the disk, then restart")]
    Io {
        /// SQLite's extended result code.
        code: i32,
    },
    /// The database file is malformed.
    #[error("the file is damaged; keep it as evidence and restore a copy")]
    Corrupt,
    /// Any other refusal by the database, such as a lock held by a foreign program.
    #[error("the database refused (SQLite code {code}); see that no other program writes this file, then restart")]
    Database {
        /// SQLite's extended result code.
        code: i32,
    },
    /// The log's key did not sign a checkpoint, and an entry without one is none.
    #[error("the log's key does not sign; see that it can be used, then restart")]
    Key,
    /// The record of what was published cannot be written.
    #[error(
        "the record of published checkpoints beside the log cannot be written (system error {code}); check the disk, then restart"
    )]
    Head {
        /// The system's error number.
        code: i32,
    },
    /// PostgreSQL refused, for a reason that does not pass by itself.
    #[error("PostgreSQL refused (code {code}); look into its log, then restart", code = code.escape_ascii())]
    Postgres {
        /// Its SQLSTATE.
        code: [u8; 5],
    },
    /// The database of a shared log does not go on from what was acknowledged.
    #[error(
        "the database does not go on from what this log has acknowledged: an old copy, or a standby without the last commits, was put in its place; keep it as evidence and restore the right one"
    )]
    Forked,
    /// Another verifier, or `attest log rotate`, gave the shared log another key.
    #[error("the log has another key now; restart with that")]
    Retired,
    /// The log was moved elsewhere while this verifier could not reach it.
    #[error("the log was moved elsewhere; restart with the place where it is now")]
    Moved,
    /// The database took something that contradicts what the writer knows.
    #[error("the database contradicts the log's own state; keep the file and report this")]
    Inconsistent,
    /// The writer thread panicked.
    #[error("the writer failed from within; keep the file, restart, and report this")]
    Panicked,
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// An index below the end has no entry: the file was changed from outside.
    #[error("entry {index} is missing although later ones exist; the file was changed from outside")]
    Gap {
        /// The missing index.
        index: u64,
    },
    /// The text stored under a hash does not have it.
    #[error("the token stored under a hash does not have that hash; the file was changed from outside")]
    WrongToken {
        /// The hash asked for.
        hash: Hash,
    },
    /// A tile of the tree is missing or too short.
    #[error("tile {index} of level {level} of the tree is missing or too short; the file was changed from outside")]
    Tile {
        /// Its level.
        level: u8,
        /// Its index within the level.
        index: u64,
    },
    /// A file of sealed entries cannot be read.
    #[error(
        "entries {first} to {last} are sealed at {place}, and {name} cannot be read there: {source}. Bring it back, or say where they are now: attest log seal LOG --moved-to PLACE", place = place.display(), name = name.display()
    )]
    Sealed {
        /// Index of the file's first entry.
        first: u64,
        /// Of its last.
        last: u64,
        /// The folder or the store.
        place: PathBuf,
        /// The file there.
        name: PathBuf,
        /// What is wrong.
        source: PartError,
    },
    /// A sealed entry was changed.
    #[error(
        "entry {index}, which is sealed at {place} in {name}, is not the one that the tree was made of; keep the file as evidence and restore a copy", place = place.display(), name = name.display()
    )]
    SealedEntry {
        /// Its index.
        index: u64,
        /// The folder or the store.
        place: PathBuf,
        /// The file there.
        name: PathBuf,
    },
    /// The table of sealed parts says what none says.
    #[error("the log's table of sealed entries has gaps; the file was changed from outside")]
    Parts,
    /// Sizes or an index beyond the log's end.
    #[error("the log has no such tree: it has {size} entries")]
    Outside {
        /// Its entries.
        size: u64,
    },
    /// The table of keys, or the last checkpoint, is none.
    #[error("the log's keys or its last checkpoint cannot be read; the file was changed from outside")]
    Keys,
    /// SQLite refused.
    #[error("reading the log failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The database of a shared log refused, or cannot be reached.
    #[error("reading the log failed: {0}")]
    Postgres(#[from] PostgresError),
}
