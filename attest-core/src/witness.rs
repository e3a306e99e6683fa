//! What a log asks of a witness, and what the witness decides (C2SP tlog-witness, `add-checkpoint`). `spec/witness.md`.
//!
//! The decision is a pure function. Whoever calls it keeps the records, and makes reading a record, deciding and writing
//! the new one a single step: two requests between the reading and the writing of one record would take the tree back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, LogKeys, decimal, hash};
use crate::cosignature;
use crate::merkle::{EMPTY_ROOT, Hash, check_consistency};
use crate::note::{MAX_NOTE, Note, NoteError, Vkey};
use crate::tlog_proof::MAX_HASHES;

/// Longest request, in bytes: the longest checkpoint, 63 hashes of 45 bytes, the old size, an empty line.
pub const MAX_ADD_CHECKPOINT: usize = MAX_NOTE + MAX_HASHES * 45 + 32;

/// Type of the answer that says the size of the latest checkpoint cosigned (status 409).
pub const SIZE_TYPE: &str = "text/x.tlog.size";

/// A request to cosign a checkpoint. Nothing of it is believed before [`AddCheckpoint::decide`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the latest checkpoint that the witness has cosigned, as the log believes.
    pub old: u64,
    /// The consistency proof from there.
    pub proof: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub checkpoint: String,
}

/// What a witness remembers of an origin: the latest checkpoint that it cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its size.
    pub size: u64,
    /// Its root.
    pub root: Hash,
}

/// The witness may cosign, once the record is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosign<'a> {
    /// The log.
    pub origin: String,
    /// What is to be remembered in place of the old record.
    pub record: Record,
    /// The text to cosign.
    pub text: &'a str,
    /// The log's own signature line, which was verified, with its line feed: a witness shows it to monitors beside its own.
    pub line: &'a str,
}

/// Why a checkpoint is not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Declined {
    /// Not of this form, or an old size above the checkpoint's.
    #[error("not a request to add a checkpoint")]
    Malformed,
    /// Not signed by a key of its log that is in force at this size.
    #[error("the checkpoint is not signed by a trusted key of its log")]
    Signature,
    /// A log that is not watched.
    #[error("not a log that this witness watches")]
    UnknownLog,
    /// The latest checkpoint that was cosigned has another size.
    #[error("the latest checkpoint that was cosigned has size {0}")]
    OldSize(u64),
    /// The tree is no continuation of the one that was cosigned.
    #[error("the checkpoint is not shown to continue the one that was cosigned")]
    Inconsistent,
}

impl Declined {
    /// The status of the HTTP answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Signature => 403,
            Self::UnknownLog => 404,
            Self::OldSize(_) => 409,
            Self::Inconsistent => 422,
        }
    }
}

impl AddCheckpoint {
    /// Reads a request's body.
    ///
    /// # Errors
    /// [`Declined::Malformed`].
    pub fn parse(body: &[u8]) -> Result<Self, Declined> {
        Self::read(body).ok_or(Declined::Malformed)
    }

    fn read(body: &[u8]) -> Option<Self> {
        if body.len() > MAX_ADD_CHECKPOINT {
            return None;
        }
        let (head, checkpoint) = core::str::from_utf8(body).ok()?.split_once("\n\n")?;
        let mut lines = head.split('\n');
        let old = decimal(lines.next()?.strip_prefix("old ")?)?;
        let proof = lines.map(hash).collect::<Option<Vec<_>>>()?;
        let request = Self { old, proof, checkpoint: checkpoint.to_owned() };
        let readable = request.proof.len() <= MAX_HASHES && request.opened().is_some();
        readable.then_some(request)
    }

    fn opened(&self) -> Option<(Note<'_>, Checkpoint)> {
        let note = Note::parse(self.checkpoint.as_bytes()).ok()?;
        let checkpoint = Checkpoint::parse(note.text()).ok()?;
        Some((note, checkpoint))
    }

    /// The request's body.
    pub fn to_text(&self) -> String {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            STANDARD.encode_string(hash, &mut text);
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// The log that the checkpoint says it is of: by it, keys and record are found.
    ///
    /// # Errors
    /// [`Declined::Malformed`].
    pub fn origin(&self) -> Result<String, Declined> {
        self.opened().map(|(_, checkpoint)| checkpoint.origin).ok_or(Declined::Malformed)
    }

    /// What the witness does. `keys` are the log's, none where it is not watched; `record` is what was cosigned of it, none
    /// where nothing was.
    ///
    /// # Errors
    /// [`Declined`], in C2SP's order: form, log, signature, old size, consistency.
    pub fn decide(&self, keys: Option<&LogKeys>, record: Option<&Record>) -> Result<Cosign<'_>, Declined> {
        let (note, _) = self.opened().ok_or(Declined::Malformed)?;
        let keys = keys.ok_or(Declined::UnknownLog)?;
        let checkpoint = keys.open_note(&note).map_err(|error| match error {
            CheckpointError::Form => Declined::Malformed,
            CheckpointError::Origin => Declined::UnknownLog,
            _ => Declined::Signature,
        })?;
        if self.old > checkpoint.size {
            return Err(Declined::Malformed);
        }
        let known = record.copied().unwrap_or(Record { size: 0, root: EMPTY_ROOT });
        if self.old != known.size {
            return Err(Declined::OldSize(known.size));
        }
        check_consistency(known.size, &known.root, checkpoint.size, &checkpoint.root, &self.proof)
            .map_err(|_| Declined::Inconsistent)?;
        let record = Record { size: checkpoint.size, root: checkpoint.root };
        let key = keys.at(checkpoint.size).ok_or(Declined::Signature)?;
        let (line, _) = note.signature_of(key).map_err(|_| Declined::Signature)?;
        Ok(Cosign { origin: checkpoint.origin, record, text: note.text(), line })
    }
}

/// The signature line of this witness in its answer to a request for the checkpoint with this text, and its time in seconds
/// since 1970. Lines of others are ignored.
///
/// # Errors
/// [`NoteError`].
pub fn read_answer<'a>(text: &'a str, answer: &'a [u8], witness: &Vkey) -> Result<(u64, &'a str), NoteError> {
    let answer = core::str::from_utf8(answer).map_err(|_| NoteError::Form)?;
    cosignature::check_line(&Note::of_parts(text, answer)?, witness)
}

/// The body of an answer with status 409.
pub fn size_text(size: u64) -> String {
    format!("{size}\n")
}

/// Reads the body of an answer with status 409.
pub fn read_size(body: &[u8]) -> Option<u64> {
    decimal(core::str::from_utf8(body).ok()?.strip_suffix('\n')?)
}
