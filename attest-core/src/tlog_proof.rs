//! A proof that an entry is in a log, in one text that can be checked offline (C2SP tlog-proof). `spec/tlog-proof.md`.

use core::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::checkpoint::{Checkpoint, CheckpointError, LogKeys, decimal, hash};
use crate::merkle::{self, Hash, ProofError};

/// Longest proof that is read: an entry, 63 hashes, a checkpoint with every signature line it may have.
pub const MAX_TLOG_PROOF: usize = 262_144;
/// Most hashes of an inclusion or consistency proof (C2SP tlog-witness).
pub const MAX_HASHES: usize = 63;

const HEAD: &str = "c2sp.org/tlog-proof@v1";

/// The proof of one entry. Nothing of it is believed before [`TlogProof::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry itself, where it travels with its proof (C2SP's *extra data*).
    pub entry: Option<Vec<u8>>,
    /// Its index.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling up.
    pub path: Vec<Hash>,
    /// The checkpoint of the tree that it is shown to be in: a signed note.
    pub checkpoint: String,
}

/// Why an entry is not shown to be in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Not a text of this form.
    #[error("not a proof of C2SP tlog-proof's form")]
    Form,
    /// The checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The hashes.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// The proof brings no entry, and none was given.
    #[error("the proof brings no entry; give the entry that it is about")]
    NoEntry,
}

impl TlogProofError {
    /// The code of this in `spec/tlog-proof.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Form => "bad-proof",
            Self::Checkpoint(error) => error.code(),
            Self::Proof(error) => error.code(),
            Self::NoEntry => "no-entry",
        }
    }
}

impl TlogProof {
    /// Reads the text.
    ///
    /// # Errors
    /// [`TlogProofError::Form`].
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        Self::read(text).ok_or(TlogProofError::Form)
    }

    fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_TLOG_PROOF {
            return None;
        }
        let (head, checkpoint) = text.split_once("\n\n")?;
        let mut lines = head.split('\n');
        if lines.next()? != HEAD {
            return None;
        }
        let mut line = lines.next()?;
        let mut entry = None;
        if let Some(extra) = line.strip_prefix("extra ") {
            entry = Some(STANDARD.decode(extra).ok()?);
            line = lines.next()?;
        }
        let index = decimal(line.strip_prefix("index ")?)?;
        let path = lines.map(hash).collect::<Option<Vec<_>>>()?;
        (path.len() <= MAX_HASHES).then(|| Self { entry, index, path, checkpoint: checkpoint.to_owned() })
    }

    /// The text.
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(1_024);
        text.push_str(HEAD);
        if let Some(entry) = &self.entry {
            text.push_str("\nextra ");
            STANDARD.encode_string(entry, &mut text);
        }
        // Writing to a string does not fail.
        let _ = write!(text, "\nindex {}", self.index);
        for hash in &self.path {
            text.push('\n');
            STANDARD.encode_string(hash, &mut text);
        }
        text.push_str("\n\n");
        text.push_str(&self.checkpoint);
        text
    }

    /// Checks the entry that travels with the proof, and answers it with the checkpoint that it is in.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn check(&self, keys: &LogKeys) -> Result<(&[u8], Checkpoint), TlogProofError> {
        let entry = self.entry.as_deref().ok_or(TlogProofError::NoEntry)?;
        Ok((entry, self.check_entry(entry, keys)?))
    }

    /// Checks that `entry` is in the log, and answers the checkpoint that it is in.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn check_entry(&self, entry: &[u8], keys: &LogKeys) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = keys.open(self.checkpoint.as_bytes())?;
        let leaf = merkle::leaf(entry);
        merkle::check_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(checkpoint)
    }
}
