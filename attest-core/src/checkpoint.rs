//! Checkpoints (C2SP tlog-checkpoint): a log's signed word on how long it is and what its root is. `spec/checkpoint.md`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::merkle::{Hash, MAX_SIZE};
use crate::note::{self, Kind, Note, NoteError, Vkey, VkeyError, is_key_name};
use crate::sign::Sign;

/// What a log says of its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; also the name of its keys.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a signed note, or its text no checkpoint.
    #[error("not a checkpoint")]
    Form,
    /// Another log's.
    #[error("the checkpoint of another log")]
    Origin,
    /// Not signed by the log's key.
    #[error("not signed by the log's key")]
    Unsigned,
    /// Signed by a key of this log that was not in force at this size.
    #[error("signed by a key of this log that was retired before this size, or came into force after it")]
    Retired,
    /// A signature in a key's name that does not verify.
    #[error("the log's signature does not verify")]
    Signature,
}

impl CheckpointError {
    /// The code of this in `spec/checkpoint.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "bad-checkpoint",
            Self::Origin => "other-log",
            Self::Unsigned => NoteError::Unsigned.code(),
            Self::Retired => "key-not-in-force",
            Self::Signature => NoteError::Signature.code(),
        }
    }
}

impl Checkpoint {
    /// Reads the text of a note. Extension lines are allowed and ignored, as C2SP asks.
    ///
    /// # Errors
    /// [`CheckpointError::Form`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Form);
        };
        let size = decimal(size).filter(|size| *size <= MAX_SIZE).ok_or(CheckpointError::Form)?;
        let root = hash(root).ok_or(CheckpointError::Form)?;
        if origin.is_empty() || lines.any(str::is_empty) {
            return Err(CheckpointError::Form);
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// The signed note.
    ///
    /// # Errors
    /// The key's.
    pub fn sign<K: Sign>(&self, name: &Vkey, key: &K) -> Result<String, K::Error> {
        note::sign(&self.to_text(), name, key)
    }
}

/// A decimal number in its one spelling.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}

/// A hash in padded base64.
pub(crate) fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// The keys of one log, in the order in which they came into force. Each signs up to and including the size at which the
/// next one was named in the log, and never after: a retired key does not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    origin: String,
    /// A key, and the largest size that it signs.
    keys: Vec<(Vkey, u64)>,
}

/// Why keys are not those of one log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LogKeysError {
    /// Not a key.
    #[error(transparent)]
    Vkey(#[from] VkeyError),
    /// Not `<vkey>` or `<vkey> until <size>`.
    #[error("a log's key is written <vkey>, or <vkey> until <size> for one that was retired")]
    Form,
    /// A witness's key.
    #[error("{0} is a witness's key, not a log's")]
    Witness(String),
    /// Two names.
    #[error("the keys bear different names; a log has one, its origin")]
    Names,
    /// No key, an order that does not rise, or a key that is named twice.
    #[error(
        "a log has at least one key, each retired at a larger size than the one before, none named twice, and only the last is in force"
    )]
    Order,
}

impl LogKeys {
    /// From keys in their order, all but the last with the largest size that they sign.
    ///
    /// # Errors
    /// [`LogKeysError`].
    pub fn new(retired: Vec<(Vkey, u64)>, current: Vkey) -> Result<Self, LogKeysError> {
        let origin = current.name().to_owned();
        let mut keys = retired;
        keys.push((current, u64::MAX));
        let mut last = None;
        for (at, (key, until)) in keys.iter().enumerate() {
            if key.kind() != Kind::Log {
                return Err(LogKeysError::Witness(key.name().to_owned()));
            }
            if key.name() != origin {
                return Err(LogKeysError::Names);
            }
            let again = keys.iter().take(at).any(|(other, _)| other.key() == key.key());
            if again || last.is_some_and(|last| last >= *until) {
                return Err(LogKeysError::Order);
            }
            last = Some(*until);
        }
        Ok(Self { origin, keys })
    }

    /// From the lines of a configuration: `<vkey> until <size>` for the retired, then `<vkey>`.
    ///
    /// # Errors
    /// [`LogKeysError`].
    pub fn parse<S: AsRef<str>>(lines: &[S]) -> Result<Self, LogKeysError> {
        let (last, retired) = lines.split_last().ok_or(LogKeysError::Order)?;
        let retired = retired.iter().map(|line| {
            let (vkey, until) = line.as_ref().split_once(" until ").ok_or(LogKeysError::Order)?;
            let until = decimal(until).filter(|until| *until <= MAX_SIZE).ok_or(LogKeysError::Form)?;
            Ok((Vkey::parse(vkey)?, until))
        });
        Self::new(retired.collect::<Result<_, LogKeysError>>()?, Vkey::parse(last.as_ref())?)
    }

    /// The lines of a configuration that these keys are read from.
    pub fn to_lines(&self) -> Vec<String> {
        let line = |(key, until): &(Vkey, u64)| match *until {
            u64::MAX => key.to_string(),
            until => format!("{key} until {until}"),
        };
        self.keys.iter().map(line).collect()
    }

    /// The log's name.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key in force for trees of `size`.
    pub fn at(&self, size: u64) -> Option<&Vkey> {
        self.keys.iter().find(|(_, until)| size <= *until).map(|(key, _)| key)
    }

    /// All keys, in order, with the largest size that each signs.
    pub fn all(&self) -> &[(Vkey, u64)] {
        &self.keys
    }

    /// Reads a checkpoint and checks origin and signature.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(&self, note: &[u8]) -> Result<Checkpoint, CheckpointError> {
        let note = Note::parse(note).map_err(|_| CheckpointError::Form)?;
        self.open_note(&note)
    }

    /// [`LogKeys::open`] for a note that was read already.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open_note(&self, note: &Note<'_>) -> Result<Checkpoint, CheckpointError> {
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin != self.origin {
            return Err(CheckpointError::Origin);
        }
        let key = self.at(checkpoint.size).ok_or(CheckpointError::Unsigned)?;
        match note.verify(key) {
            Ok(()) => Ok(checkpoint),
            Err(NoteError::Unsigned) => {
                let by_another = self.keys.iter().any(|(other, _)| note.verify(other).is_ok());
                Err(if by_another { CheckpointError::Retired } else { CheckpointError::Unsigned })
            }
            Err(_) => Err(CheckpointError::Signature),
        }
    }
}

/// Whether `origin` can name a log and its keys.
pub fn is_origin(origin: &str) -> bool {
    is_key_name(origin)
}
