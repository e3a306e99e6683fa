//! What a witness remembers: a folder with one file per log, `<SHA-256 of its name>.checkpoint`, the latest checkpoint that
//! was cosigned, as it is shown to monitors.
//!
//! A record is written beside its place, synced, renamed over the old one, and the folder synced: whoever reads it finds
//! the old one or the new one, and after an answer went out the new one alone.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use attest_core::checkpoint::Checkpoint;
use attest_core::cosignature;
use attest_core::note::{MAX_NOTE, Note, Vkey};
use attest_core::witness::Record;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::WitnessError;
use crate::error::OpenError;
use crate::sqlite::WriterLock;

/// Ending of a record's file.
const RECORD: &str = ".checkpoint";

/// A state folder, locked.
pub(super) struct Folder {
    path: PathBuf,
    lock: WriterLock,
}

/// The records of all logs.
pub(super) struct State {
    path: PathBuf,
    folder: File,
    places: HashMap<String, Place>,
    /// Names of logs by their hash.
    origins: HashMap<String, String>,
    _lock: WriterLock,
}

/// The place of one log.
pub(super) struct Place {
    hash: String,
    /// Held from the reading of the record to the writing of the next.
    pub(super) kept: Mutex<Option<Kept>>,
    /// What monitors are shown; apart, so that they wait for no disk.
    pub(super) shown: Mutex<Option<Arc<str>>>,
}

/// What is remembered of a log.
pub(super) struct Kept {
    pub(super) record: Record,
}

impl Folder {
    /// Makes the folder where there is none, and takes its lock.
    pub(super) fn open(path: &Path) -> Result<Self, WitnessError> {
        let io = |source| WitnessError::Io { path: path.into(), source };
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => sync_parent(path).map_err(io)?,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io(error)),
        }
        let path = path.canonicalize().map_err(io)?;
        judge(&path)?;
        let lock = WriterLock::take(&path.join("witness")).map_err(|error| match error {
            OpenError::InUse { .. } => WitnessError::InUse { path: path.clone() },
            OpenError::Io { path, source } => WitnessError::Io { path, source },
            OpenError::Mode { path, .. } => WitnessError::Mode { path },
            other => WitnessError::Io { path: path.clone(), source: io::Error::other(other.to_string()) },
        })?;
        Ok(Self { path, lock })
    }

    /// Whether nothing was ever cosigned here.
    pub(super) fn is_new(&self) -> Result<bool, WitnessError> {
        Ok(self.records()?.is_empty())
    }

    fn records(&self) -> Result<Vec<PathBuf>, WitnessError> {
        let io = |source| WitnessError::Io { path: self.path.clone(), source };
        let files = fs::read_dir(&self.path).map_err(io)?;
        let files = files.map(|file| file.map(|file| file.path())).collect::<Result<Vec<_>, _>>().map_err(io)?;
        Ok(files.into_iter().filter(|file| file.to_str().is_some_and(|name| name.ends_with(RECORD))).collect())
    }

    /// Reads all records, those of logs that are no longer watched too: they go on being shown.
    pub(super) fn load<'o>(
        self,
        witness: &Vkey,
        watched: impl Iterator<Item = &'o String>,
    ) -> Result<State, WitnessError> {
        let mut places: HashMap<String, Place> = watched.map(|origin| (origin.clone(), Place::of(origin))).collect();
        for file in self.records()? {
            judge(&file)?;
            let text = fs::read_to_string(&file).map_err(|source| WitnessError::Io { path: file.clone(), source })?;
            let wrong = || WitnessError::Record { path: file.clone(), name: witness.to_string() };
            let checkpoint = read(&text, witness).ok_or_else(wrong)?;
            let place = places.entry(checkpoint.origin.clone()).or_insert_with(|| Place::of(&checkpoint.origin));
            if file.file_name() != Some(place.file(RECORD).as_ref()) {
                return Err(wrong());
            }
            let record = Record { size: checkpoint.size, root: checkpoint.root };
            place.kept = Mutex::new(Some(Kept { record }));
            place.shown = Mutex::new(Some(text.into()));
        }
        let folder = File::open(&self.path).map_err(|source| WitnessError::Io { path: self.path.clone(), source })?;
        let origins = places.iter().map(|(origin, place)| (place.hash.clone(), origin.clone())).collect();
        Ok(State { path: self.path, folder, places, origins, _lock: self.lock })
    }
}

/// The checkpoint of a record that this witness cosigned.
fn read(text: &str, witness: &Vkey) -> Option<Checkpoint> {
    if text.len() > MAX_NOTE {
        return None;
    }
    let note = Note::parse(text.as_bytes()).ok()?;
    cosignature::check(&note, witness).ok()?;
    Checkpoint::parse(note.text()).ok()
}

impl Place {
    fn of(origin: &str) -> Self {
        Self { hash: hash_of(origin), kept: Mutex::default(), shown: Mutex::default() }
    }

    fn file(&self, ending: &str) -> String {
        format!("{}{ending}", self.hash)
    }
}

impl State {
    pub(super) fn of(&self, origin: &str) -> Option<&Place> {
        self.places.get(origin)
    }

    pub(super) fn shown(&self, hash: &str) -> Option<Arc<str>> {
        let place = self.of(self.origins.get(hash)?)?;
        place.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Makes this the record. After an error it is not known which one is on the disk.
    pub(super) fn write(&self, place: &Place, note: &str) -> io::Result<()> {
        let new = self.path.join(place.file(".new"));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
            .open(&new)?;
        file.write_all(note.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path.join(place.file(RECORD)))?;
        self.folder.sync_all()
    }

    /// Keeps the first checkpoint that its log signed and that has another root than the one of this size that was cosigned:
    /// the two together show that the log has two trees. One that only came with a wrong proof shows nothing.
    pub(super) fn keep_evidence(&self, place: &Place, kept: Option<&Kept>, checkpoint: &str) {
        let read = Note::parse(checkpoint.as_bytes()).ok().and_then(|note| Checkpoint::parse(note.text()).ok());
        let (Some(kept), Some(other)) = (kept, read) else { return };
        if other.size != kept.record.size || other.root == kept.record.root {
            return;
        }
        let path = self.path.join(place.file(".fork"));
        tracing::error!(
            "the log {} has signed two trees of {} entries; its second checkpoint is kept in {}",
            other.origin,
            other.size,
            path.display()
        );
        // The first is enough, and a log that goes on must not fill the disk.
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let shown = place.shown.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
        let written = match new {
            Ok(mut file) => write!(file, "{shown}\n{checkpoint}").and_then(|()| file.sync_all()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = written {
            tracing::error!("{} cannot be written: {error}", path.display());
        }
    }
}

/// The SHA-256 of a log's name, in lower-case hex.
pub(super) fn hash_of(origin: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(origin) {
        // Writing to a string does not fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// Ours or root's, and nobody else may write it. That others read it is no harm.
fn judge(path: &Path) -> Result<(), WitnessError> {
    let meta = fs::symlink_metadata(path).map_err(|source| WitnessError::Io { path: path.into(), source })?;
    if meta.file_type().is_symlink() || meta.mode() & 0o022 != 0 {
        return Err(WitnessError::Mode { path: path.into() });
    }
    let user = rustix::process::geteuid().as_raw();
    if !may_own(meta.uid(), user) {
        return Err(WitnessError::Owner { path: path.into(), owner: meta.uid(), user });
    }
    Ok(())
}

/// Root could replace the file anyway; any other owner could change its mode and write it.
fn may_own(owner: u32, user: u32) -> bool {
    owner == user || owner == 0
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::may_own;

    #[test]
    fn a_state_folder_is_its_users_or_roots() {
        assert!(may_own(1000, 1000));
        assert!(may_own(0, 1000));
        assert!(!may_own(1001, 1000));
        assert!(!may_own(1000, 0));
    }
}
