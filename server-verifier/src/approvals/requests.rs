//! Where requests lie: a folder beside a log's file, or a table beside a log that several guards share.
//!
//! What is done with requests is written once, over [`Files`]; a change is one transaction where there is a table.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use attest_core::digest::{Digest, Salt};
use attest_log::{Place, SideError, SideFiles};

use super::folder::{Folder, folder_of};
use super::table::Table;

/// The file that says what is asked: it is there as long as the request is open.
pub(super) const REQUEST: &str = "request.json";
/// The secret that the names of requests are made with.
pub(super) const SECRET: &str = "secret";

/// Where the requests of one audience's guards lie.
#[derive(Debug)]
pub struct Requests(Kind);

#[derive(Debug)]
enum Kind {
    Folder(PathBuf),
    Table(Box<SideFiles>),
}

/// Why requests cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestsError {
    /// The folder.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The table. What is there is not lost.
    #[error(transparent)]
    Table(#[from] SideError),
    /// Somebody changed it.
    #[error("the secret that requests are named with is not 16 bytes; remove {0}")]
    Secret(String),
    /// The system gives no random bits.
    #[error("the system gives no random bits: {0}")]
    Random(getrandom::Error),
}

impl RequestsError {
    /// Whether nothing is wrong with a file: none can be read.
    pub(super) fn is_away(&self) -> bool {
        matches!(self, Self::Table(error) if !matches!(error, SideError::TooLong { .. }))
    }
}

impl Requests {
    /// Those of the guards that write this log.
    pub fn of(log: &Place) -> Self {
        let folder = || log.beside().map(|beside| folder_of(&beside)).unwrap_or_default();
        Self(SideFiles::of(log).map_or_else(|| Kind::Folder(folder()), |files| Kind::Table(Box::new(files))))
    }

    /// Those of a folder.
    pub fn in_folder(folder: &Path) -> Self {
        Self(Kind::Folder(folder.to_owned()))
    }

    /// For messages.
    pub(super) fn secret_name(&self) -> String {
        match &self.0 {
            Kind::Folder(folder) => folder.join(SECRET).display().to_string(),
            Kind::Table(_) => format!("it from the table attest_log.side_file (folder '{}')", super::table::FOLDER),
        }
    }

    /// Makes what has to be there first.
    pub(super) fn prepare(&self) -> Result<(), RequestsError> {
        match &self.0 {
            Kind::Folder(folder) => Folder(folder).make(),
            Kind::Table(_) => Ok(()),
        }
    }

    /// Reads.
    pub(super) fn look<T, E: From<RequestsError>>(&self, act: impl FnOnce(&dyn Files) -> Result<T, E>) -> Result<T, E> {
        match &self.0 {
            Kind::Folder(folder) => act(&Folder(folder)),
            Kind::Table(files) => files.look(|side| act(&Table(side)).map_err(Either::Act)).map_err(Either::into),
        }
    }

    /// Reads and writes. In a table all of it or nothing, and alone; in a folder the guard, its one writer but for what people add, is
    /// alone by itself.
    pub(super) fn change<T, E: From<RequestsError>>(
        &self,
        act: impl FnOnce(&dyn Files) -> Result<T, E>,
    ) -> Result<T, E> {
        match &self.0 {
            Kind::Folder(folder) => act(&Folder(folder)),
            Kind::Table(files) => files.change(|side| act(&Table(side)).map_err(Either::Act)).map_err(Either::into),
        }
    }
}

/// What failed: the table, or what was done over it.
enum Either<E> {
    Side(SideError),
    Act(E),
}

impl<E> From<SideError> for Either<E> {
    fn from(error: SideError) -> Self {
        Self::Side(error)
    }
}

impl<E: From<RequestsError>> Either<E> {
    fn into(self) -> E {
        match self {
            Self::Side(error) => RequestsError::from(error).into(),
            Self::Act(error) => error,
        }
    }
}

/// The files of requests.
pub(super) trait Files {
    /// The requests that something lies for.
    fn requests(&self) -> Result<BTreeSet<Digest>, RequestsError>;

    /// The names of a request's files; `None` where it has ended.
    fn names(&self, request: Digest) -> Result<Option<BTreeSet<String>>, RequestsError>;

    /// A file of at most `most` bytes; `None` where it is not there.
    fn read(&self, request: Digest, name: &str, most: usize) -> Result<Option<Vec<u8>>, RequestsError>;

    /// Writes a file, whole or not at all; the request itself before anything else of it.
    fn write(&self, request: Digest, name: &str, bytes: &[u8]) -> Result<(), RequestsError>;

    /// Removes a request with all that lies there.
    fn remove(&self, request: Digest) -> Result<(), RequestsError>;

    /// The bytes of the secret, where there is one.
    fn secret(&self) -> Result<Option<Vec<u8>>, RequestsError>;

    /// Makes the secret.
    fn set_secret(&self, secret: &Salt) -> Result<(), RequestsError>;
}
