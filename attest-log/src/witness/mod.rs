//! A witness (C2SP tlog-witness): cosigns the checkpoints of logs that it watches, as long as each continues the one
//! before. `spec/witness.md`. The asking side is [`client`].
//!
//! What it promises: of each log, one root at one size, ever. What it cosigned is on the disk before anybody sees the
//! cosignature, and reading the record, deciding and writing it is one step per log.
//!
//! Trust: who can write the state folder can set its records back, and who has the key needs no folder at all. So a
//! witness is worth something where it runs under somebody else's hands than the log does.

pub mod client;
mod state;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use attest_core::checkpoint::{LogKeys, LogKeysError};
use attest_core::cosignature::{self, CosignError};
use attest_core::note::{Kind, Vkey, VkeyError};
use attest_core::sign::Sign as _;
use attest_core::witness::{AddCheckpoint, Declined, SIZE_TYPE, size_text};
use attest_keys::{Form, Key, KeyError, KeySource, SecretKey};

use self::state::{Kept, State};
use crate::answer::Answer;

/// A witness at work.
pub struct Witness {
    name: Vkey,
    key: Key,
    logs: HashMap<String, LogKeys>,
    state: State,
    /// A record could not be written: what is on the disk is not known, so nothing is cosigned until a restart reads it.
    stopped: AtomicBool,
}

/// Why a witness does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WitnessError {
    /// The name.
    #[error("{name:?} cannot name a witness: {source}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        source: VkeyError,
    },
    /// The key.
    #[error("the witness's key: {0}")]
    Key(#[from] KeyError),
    /// The key file is gone, though it has cosigned.
    #[error(
        "{key}, the witness's key, is missing, but {state} has what it cosigned: restore it; a witness with a new key is a new witness, and has a state folder of its own",
        key = key.display(),
        state = state.display()
    )]
    KeyLost {
        /// The key file.
        key: PathBuf,
        /// The state folder.
        state: PathBuf,
    },
    /// A log's keys.
    #[error("the keys of a log: {0}")]
    LogKeys(#[from] LogKeysError),
    /// The witness's key is a log's too.
    #[error("the witness's key is also that of the log {0}: a key has one role, and a log does not witness itself")]
    KeyTwice(String),
    /// Another witness has the folder.
    #[error("{path}: another witness keeps its state here; stop it first, or name another folder", path = path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Others can write the folder or a file in it.
    #[error("{path} can be written by others than its owner, who could make this witness cosign two trees; run: chmod go-w {path}", path = path.display())]
    Mode {
        /// The folder.
        path: PathBuf,
    },
    /// Somebody else's folder or file.
    #[error("{path} belongs to user {owner}, who could make this witness cosign two trees; run: chown {user} {path}", path = path.display())]
    Owner {
        /// The folder or file.
        path: PathBuf,
        /// Its owner's user id.
        owner: u32,
        /// The user id that this process runs as.
        user: u32,
    },
    /// A record that is not one by this witness.
    #[error(
        "{path} is no checkpoint that {name} cosigned: restore it; a witness that has forgotten what it cosigned must not go on",
        path = path.display()
    )]
    Record {
        /// The record.
        path: PathBuf,
        /// The witness.
        name: String,
    },
    /// The system.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: std::io::Error,
    },
}

/// Why a checkpoint is not cosigned.
enum Refused {
    Declined(Declined),
    Stopped,
    Key(KeyError),
}

impl From<Declined> for Refused {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}

impl Witness {
    /// A witness named `name` with its state in `folder`, which is made where there is none, as is a key file, as long as
    /// nothing was cosigned. `logs` are the keys of the logs that it watches, each as `attest log key` prints it: retired ones
    /// of a log before its present one.
    ///
    /// # Errors
    /// [`WitnessError`].
    pub fn open<S: AsRef<str>>(folder: &Path, key: &KeySource, name: &str, logs: &[S]) -> Result<Self, WitnessError> {
        let logs = by_origin(logs)?;
        let opened = state::Folder::open(folder)?;
        let key = match (key.load(), key) {
            (Err(KeyError::Missing { .. }), KeySource::File(file)) if opened.is_new()? => {
                SecretKey::generate()?.write(file, Form::Pem)?;
                key.load()?
            }
            (Err(KeyError::Missing { path }), _) => {
                return Err(WitnessError::KeyLost { key: path, state: folder.into() });
            }
            (loaded, _) => loaded?,
        };
        let named = |source| WitnessError::Name { name: name.to_owned(), source };
        let name = Vkey::new(name, Kind::Witness, key.public().clone()).map_err(named)?;
        for keys in logs.values() {
            if keys.all().iter().any(|(other, _)| other.key() == name.key()) {
                return Err(WitnessError::KeyTwice(keys.origin().to_owned()));
            }
        }
        let state = opened.load(&name, logs.keys())?;
        Ok(Self { name, key, logs, state, stopped: AtomicBool::new(false) })
    }

    /// What others check its cosignatures with.
    pub fn vkey(&self) -> &Vkey {
        &self.name
    }

    /// The logs that it watches.
    pub fn origins(&self) -> impl Iterator<Item = &str> {
        self.logs.keys().map(String::as_str)
    }

    /// Answers `POST /add-checkpoint` at `now`, in seconds since 1970. Blocks for the disk, and for a key that is held by an
    /// agent.
    pub fn add_checkpoint(&self, body: &[u8], now: u64) -> Answer {
        match self.cosign(body, now) {
            Ok(line) => Answer::text(200, line),
            Err(Refused::Declined(Declined::OldSize(size))) => {
                Answer { content_type: SIZE_TYPE, ..Answer::text(409, size_text(size)) }
            }
            Err(Refused::Declined(declined)) => Answer::failed(declined.status(), declined),
            Err(Refused::Stopped) => Answer::failed(
                500,
                "this witness could not write its state, and cosigns nothing before it is restarted",
            ),
            Err(Refused::Key(error)) => {
                tracing::error!("the witness's key does not sign: {error}");
                Answer::failed(503, "the witness's key does not sign at the moment")
            }
        }
    }

    fn cosign(&self, body: &[u8], now: u64) -> Result<String, Refused> {
        let request = AddCheckpoint::parse(body)?;
        let origin = request.origin()?;
        let keys = self.logs.get(&origin);
        let place = self.state.of(&origin).ok_or(Declined::UnknownLog)?;
        // From here to the end one request at a time, per log. Who panicked in here may have left the disk ahead of the memory.
        let mut kept = place.kept.lock().map_err(|_| Refused::Stopped)?;
        if self.stopped.load(Ordering::SeqCst) {
            return Err(Refused::Stopped);
        }
        let record = kept.as_ref().map(|kept| kept.record);
        let cosign = match request.decide(keys, record.as_ref()) {
            Ok(cosign) => cosign,
            Err(declined) => {
                // Well signed, and no continuation: this may be a log that shows two trees, or a wrong proof.
                if declined == Declined::Inconsistent {
                    self.state.keep_evidence(place, kept.as_ref(), &request.checkpoint);
                }
                return Err(declined.into());
            }
        };
        let line = cosignature::sign(cosign.text, now, &self.name, &self.key).map_err(|error| match error {
            CosignError::Key(error) => Refused::Key(error),
            // The name is the key's own; the time is a clock before 1970.
            CosignError::Name | CosignError::Time => Refused::Stopped,
        })?;
        let note = format!("{}\n{}{line}", cosign.text, cosign.line);
        if let Err(error) = self.state.write(place, &note) {
            self.stopped.store(true, Ordering::SeqCst);
            tracing::error!(
                "the record of {origin} cannot be written, so nothing is cosigned before a restart: {error}"
            );
            return Err(Refused::Stopped);
        }
        *place.shown.lock().unwrap_or_else(PoisonError::into_inner) = Some(note.into());
        *kept = Some(Kept { record: cosign.record });
        Ok(line)
    }

    /// Answers `GET /<origin hash>/checkpoint`: the latest checkpoint that was cosigned of the log whose name has this
    /// SHA-256, in lower-case hex.
    pub fn checkpoint(&self, origin_hash: &str) -> Answer {
        match self.state.shown(origin_hash) {
            Some(note) => Answer::text(200, note.as_bytes()),
            None => Answer::not_found(),
        }
    }
}

/// The keys of each log, from the lines of all of them.
fn by_origin<S: AsRef<str>>(lines: &[S]) -> Result<HashMap<String, LogKeys>, WitnessError> {
    let mut logs: HashMap<String, Vec<&str>> = HashMap::new();
    for line in lines {
        let line = line.as_ref().trim();
        // Up to the first plus, which no name has.
        let origin = line.split('+').next().unwrap_or_default();
        logs.entry(origin.to_owned()).or_default().push(line);
    }
    let keys = logs.into_values().map(|lines| {
        let keys = LogKeys::parse(&lines)?;
        Ok((keys.origin().to_owned(), keys))
    });
    keys.collect()
}
