//! Copies of the documents that guards share: brought from the log's database into a folder of this guard's own before its
//! configuration is read, and then whenever one changes. `spec/shared-document.md`.
//!
//! The folder is what the configuration reads; so a guard goes on with what it has while the database is away.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use attest_core::shared_document::{SharedDocument, SharedDocumentError};
use attest_log::{MAX_SIDE_FILE, Place, SideError, SideFiles};

use crate::config::{ConfigError, Sharing};

/// The folder of the documents, in the table beside a log.
pub const FOLDER: &str = "shared";

/// The copies of one guard.
#[derive(Debug)]
pub(crate) struct Mirror {
    path: PathBuf,
    /// The configuration as it was read last, and what it shares.
    text: String,
    sharing: Option<Sharing>,
    /// Of the log that the sharing names: a guard's log stays while it runs.
    files: Option<(Place, SideFiles)>,
    /// By name: the row that was looked at last, and what was wrong with it.
    known: BTreeMap<String, Known>,
}

#[derive(Debug, Default)]
struct Known {
    stamp: Option<String>,
    wrong: Option<String>,
}

/// Why documents cannot be brought.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The database.
    #[error(transparent)]
    Side(#[from] SideError),
    /// The folder of the copies.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a document that came is not put in force.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Document(#[from] SharedDocumentError),
    #[error("it is version {found}, and {held} is in force: an older one, or another of the same number, was put back")]
    Older { found: u64, held: u64 },
    #[error("it is not in the database any more; the copy that is here stays")]
    Gone,
    #[error("it is not in the database; `attest shared put` puts it there")]
    Missing,
}

/// Brings the documents that the configuration at `path` names, if it names any: before it is read. What cannot be brought is said; the
/// copies that are there stay.
pub fn bring(path: &Path) {
    Mirror::of(path).bring();
}

impl Mirror {
    pub(crate) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), text: String::new(), sharing: None, files: None, known: BTreeMap::new() }
    }

    /// Says whether a copy became another one.
    pub(crate) fn bring(&mut self) -> bool {
        match self.try_bring() {
            Ok(changed) => changed,
            // What is wrong with the configuration is said when it is read.
            Err(SharedError::Config(_)) => false,
            // A moment after it was said.
            Err(SharedError::Side(SideError::Paused { .. })) => false,
            Err(error) => {
                tracing::error!("shared documents cannot be had, and the copies that are here stay in force: {error}");
                false
            }
        }
    }

    fn try_bring(&mut self) -> Result<bool, SharedError> {
        let text = fs::read_to_string(&self.path);
        let text = text.map_err(|source| ConfigError::Read { path: self.path.clone(), source })?;
        if text != self.text {
            self.sharing = Sharing::of(&text, &self.path)?.map(|(sharing, _)| sharing);
            self.text = text;
            // Under another key, or for another audience, what is known says nothing.
            self.known.clear();
        }
        let Some(sharing) = self.sharing.as_ref().filter(|sharing| !sharing.names.is_empty()) else { return Ok(false) };
        if self.files.as_ref().is_none_or(|(log, _)| *log != sharing.log) {
            self.files = SideFiles::of(&sharing.log).map(|files| (sharing.log.clone(), files));
        }
        let Some((_, files)) = &self.files else { return Ok(false) };
        let copies = Copies { sharing };
        copies.make()?;
        let mut changed = false;
        for name in &sharing.names {
            // What is here counts only as far as the key says so that is pinned now.
            if !self.known.contains_key(name) {
                changed |= copies.judge(name)?;
                self.known.insert(name.clone(), Known::default());
            }
        }
        let stamps = files.look(|side| side.stamps(FOLDER))?;
        for (name, known) in &mut self.known {
            let stamp = stamps.get(name).cloned();
            if stamp.is_some() && stamp == known.stamp {
                continue;
            }
            let stored = files.look(|side| side.read(FOLDER, name, MAX_SIDE_FILE))?;
            let wrong = match copies.take(name, stored.as_deref())? {
                Ok(new) => {
                    changed |= new;
                    None
                }
                Err(refused) => Some(refused.to_string()),
            };
            if let Some(wrong) = wrong.as_ref().filter(|wrong| known.wrong.as_ref() != Some(wrong)) {
                tracing::error!("the shared document {name:?} is not taken: {wrong}");
            }
            *known = Known { stamp, wrong };
        }
        Ok(changed)
    }
}

/// The folder of copies: each document, and beside it the token that it was taken with.
struct Copies<'s> {
    sharing: &'s Sharing,
}

impl Copies<'_> {
    fn make(&self) -> Result<(), SharedError> {
        let folder = &self.sharing.folder;
        for folder in folder.parent().into_iter().chain([folder.as_path()]) {
            match DirBuilder::new().mode(0o700).create(folder) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(at(folder)(error)),
                _ => {}
            }
        }
        Ok(())
    }

    fn document(&self, name: &str) -> PathBuf {
        self.sharing.folder.join(name)
    }

    /// No document begins with a dot.
    fn token(&self, name: &str) -> PathBuf {
        self.sharing.folder.join(format!(".{name}.jwt"))
    }

    /// The version of the copy that is here; `None` where there is none that the pinned key signed.
    fn version(&self, name: &str) -> Result<Option<u64>, SharedError> {
        let (Some(tokens), Some(bytes)) = (read(&self.token(name))?, read(&self.document(name))?) else {
            return Ok(None);
        };
        // Two where a crash came between them and the document.
        Ok(tokens.split(|byte| *byte == b'\n').find_map(|token| {
            let stored = [token, &bytes].join(&b'\n');
            self.open(name, &stored).ok().map(|(version, _)| version)
        }))
    }

    /// Takes away what the pinned key did not sign; says whether it did.
    fn judge(&self, name: &str) -> Result<bool, SharedError> {
        let path = self.document(name);
        if !path.exists() || self.version(name)?.is_some() {
            return Ok(false);
        }
        tracing::error!(
            "the copy {} is not signed by the key that is pinned for documents, and is removed",
            path.display()
        );
        fs::remove_file(&path).map_err(at(&path))?;
        Ok(true)
    }

    fn open<'t>(&self, name: &str, stored: &'t [u8]) -> Result<(u64, &'t [u8]), SharedDocumentError> {
        let (said, bytes) = SharedDocument::open(stored, &self.sharing.audience, name, &self.sharing.key)?;
        Ok((said.version, bytes))
    }

    /// Puts what is stored in place of the copy, if it is newer; says whether it did.
    fn take(&self, name: &str, stored: Option<&[u8]>) -> Result<Result<bool, Refused>, SharedError> {
        let held = self.version(name)?;
        let Some(stored) = stored else {
            return Ok(Err(if held.is_some() { Refused::Gone } else { Refused::Missing }));
        };
        let (found, bytes) = match self.open(name, stored) {
            Ok(opened) => opened,
            Err(error) => return Ok(Err(error.into())),
        };
        match held {
            Some(held) if found == held && read(&self.document(name))?.as_deref() == Some(bytes) => Ok(Ok(false)),
            Some(held) if found <= held => Ok(Err(Refused::Older { found, held })),
            _ => {
                let token = stored.split(|byte| *byte == b'\n').next().unwrap_or_default();
                let (document, tokens) = (self.document(name), self.token(name));
                // Whatever a crash leaves undone of this, there is a token for the copy.
                let both = [token, &read(&tokens)?.unwrap_or_default()].join(&b'\n');
                write(&tokens, &both).map_err(at(&tokens))?;
                write(&document, bytes).map_err(at(&document))?;
                write(&tokens, token).map_err(at(&tokens))?;
                Ok(Ok(true))
            }
        }
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> SharedError {
    let path = path.to_owned();
    move |source| SharedError::Folder { path, source }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, SharedError> {
    match fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        bytes => bytes.map(Some).map_err(at(path)),
    }
}

/// For its owner alone, in one step, and on the disk before it counts.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}
