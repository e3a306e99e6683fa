//! What is checked of a whole log, entry by entry and then in order. `spec/audit.md`.
//!
//! Three steps, so that many threads can share the work: a [`Basis`] is what the tokens of many calls have in common,
//! [`look`] judges one entry by itself and answers a [`Fact`], and [`Sequence`] takes the facts in order and judges what
//! each says beside the others. The tree, the files and the threads are the caller's.

mod basis;
mod fact;
mod look;
mod remembered;
mod sequence;

use crate::checkpoint::CheckpointError;
use crate::entry::EntryError;
use crate::receipt::Defect;
use crate::refusal::{Reason, Token};
use crate::trust::MAX_SKEW;

pub use basis::{Bases, Basis};
pub use fact::{Fact, Names, Noted};
pub use look::{Own, look};
pub use sequence::{Counts, Listed, ReplayRow, Sequence, Tables};

/// By how many seconds times may differ that two clocks wrote, or one before and after it was set: the largest skew that a
/// verifier can be configured with, and a minute between a judgement and its entry.
pub const SKEW: u64 = MAX_SKEW + 60;

/// [`SKEW`] in the unit of entries.
pub(crate) const SKEW_MS: u64 = SKEW * 1_000;

/// What is wrong with a log. [`Fault::check`] names the check that found it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are no entry.
    #[error("{0}")]
    Entry(#[from] EntryError),
    /// No entry at this index, although there are later ones.
    #[error("there is no entry of this index")]
    Missing,
    /// An entry that names a token of its own, and has none beside it.
    #[error("its own token is not there")]
    OwnTokenMissing,
    /// A token beside an entry that names none.
    #[error("a token stands beside an entry that names none")]
    OwnTokenExtra,
    /// The token beside the entry is not the one that it names.
    #[error("the token beside it is not the one that it names")]
    OwnTokenHash,
    /// A token that the entry names is not in the store.
    #[error("{} is not in the store", token(*.0))]
    TokenMissing(Token),
    /// A token of the store does not have the hash that it is stored under.
    #[error("a token does not have the hash that it is stored under")]
    TokenHash,
    /// A token of the store that no entry names.
    #[error("a token of the store is named by no entry")]
    TokenUnnamed,
    /// What the entry rests on does not bear the call: for this reason a verifier would refuse it.
    #[error("the call proof or what it rests on is not good for this call: {0}")]
    Evidence(Reason),
    /// The tokens say something else than the entry.
    #[error("the tokens say something else than the entry's `{0}`")]
    Disagrees(&'static str),
    /// A receipt that the caller says it checked, and that does not hold.
    #[error("the receipt beside it does not hold: {0}")]
    Receipt(Defect),
    /// A receipt for a call that did not just end.
    #[error("no call that the receipt could be for ended shortly before, or it has one already")]
    ReceiptForNoCall,
    /// A token was not in its time when the entry was written.
    #[error("{} was not in its time when the entry was written", token(*.0))]
    OutOfTime(Token),
    /// An entry of another kind of log.
    #[error("an entry of another kind of log: a verifier's, a caller's and a watched host's have each their own")]
    Side,
    /// Nothing says who writes, or which session it is that something was seen in.
    #[error("no `start`, `context` or, in a watched host's log, `trail` of its session stands before it")]
    NotStarted,
    /// The entry says something else than the `start` or `context` before it.
    #[error("it says something else than the `start` or `context` before it: `{0}`")]
    Context(&'static str),
    /// The clock went back, or the entry was put here later.
    #[error("it is dated more than {SKEW} seconds before an earlier entry")]
    TimeBack,
    /// A second call proof with the `jti` of one that could still be told from it.
    #[error("the call was made before, at entry {first}: its key used this `jti` already")]
    Replay {
        /// The first.
        first: u64,
    },
    /// A decision that rests on a declassification which nothing before it used for this call.
    #[error("no entry `used` of this call and {} stands before it, or another decision had it", token(*.0))]
    NotUsed(Token),
    /// A call that is open already.
    #[error("the same call was let through before, at entry {first}, and had not ended")]
    OpenTwice {
        /// The first.
        first: u64,
    },
    /// An outcome of no open call.
    #[error("no call that it could be the outcome of is open: it ended before, or was never let through")]
    NotOpen,
    /// A second call of a session under the name of one that has no answer yet.
    #[error("the same call was seen before, at entry {first}, and had no answer yet")]
    SeenTwice {
        /// The first.
        first: u64,
    },
    /// An answer to a call that was not seen, or was answered before.
    #[error("it is the answer to a call that was not seen before it, or that was answered already")]
    AnswerForNoCall,
    /// An alert that rests on entries that are not there yet, or one closed that is not.
    #[error("it rests on an entry that does not stand before it")]
    AlertAhead,
    /// A call that should have ended.
    #[error("the call has no outcome, and is not listed as open")]
    NoOutcome,
    /// A call that is listed as open and is not.
    #[error("the list of open calls has one that is not open")]
    NotOpenListed,
    /// The window of used calls lacks one.
    #[error("the window of used calls lacks this one, so that it could be made again")]
    ReplayRowMissing,
    /// The window of used calls says something else than the entry.
    #[error("the window of used calls says something else than the entries")]
    ReplayRow,
    /// A window that forgot calls which had not ended.
    #[error("the window of used calls says that it forgot calls before they could have ended")]
    Horizon,
    /// A rotation that does not fit the keys.
    #[error("the key's change does not go with the log's list of keys")]
    Rotation,
    /// The log's list of keys is not one, or not that of the entries.
    #[error("the log's list of keys is not that of its `key` entries")]
    Keys,
    /// An `adopted` entry that does not say where it stands.
    #[error("the size that it names is not the number of entries before it")]
    AdoptedSize,
    /// A call that was signed before the log was taken over by hand.
    #[error("the call was signed before the log was taken over by hand, and might have been a replay")]
    BeforeAdoption,
    /// The log's own mark of a taking over is not that of its entries.
    #[error("the log's mark of when it was taken over by hand is not that of its `adopted` entries")]
    Adoption,
    /// A `forgotten` entry that names none before it, or no more than one before.
    #[error("it lets go of what is not before it, or was let go before")]
    ForgottenAhead,
    /// The log's own mark of what was let go is not that of its entries.
    #[error(
        "the log's mark of which tokens were let go is not that of its `forgotten` entries; if `attest log forget` was cut off, run it again"
    )]
    Forgotten,
    /// A stored tile of the tree.
    #[error("tile {index} of level {level} of the tree is not that of the entries")]
    Tile {
        /// Its level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// Tiles that this tree does not have, or one too few.
    #[error("the log has tiles that its tree has not, or lacks some, at level {level}")]
    Tiles {
        /// The level.
        level: u8,
    },
    /// The checkpoint is of another number of entries.
    #[error("the checkpoint is over {signed} entries, and there are {found}")]
    Size {
        /// What is signed.
        signed: u64,
        /// What is there.
        found: u64,
    },
    /// Entries before the first.
    #[error("there are entries with an index below 0")]
    Stray,
    /// The root is not that of the checkpoint.
    #[error(
        "the entries do not have the root that the checkpoint was signed over: one from entry {from} on is another, or earlier ones were changed with their tiles"
    )]
    Root {
        /// Where the entries begin that no whole tile is over.
        from: u64,
    },
    /// The checkpoint itself.
    #[error("the last checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// The keys that the log was checked with are not its own.
    #[error("a key that was given is not one of this log's, or the key in force was not given")]
    Pinned,
    /// A cosigned checkpoint.
    #[error("the cosigned checkpoint of {size} entries: {fault}")]
    Cosigned {
        /// Its size.
        size: u64,
        /// What is wrong.
        fault: CosignedFault,
    },
    /// No checkpoint has the cosignatures that the policy asks for.
    #[error("no checkpoint has the cosignatures that the policy asks for")]
    NotWitnessed,
    /// An entry that was dated after a witness had seen it.
    #[error("it is dated more than {SKEW} seconds after a witness saw it, at {size} entries")]
    AfterWitness {
        /// The cosigned size.
        size: u64,
    },
    /// An entry that was dated before a witness had seen a log without it.
    #[error(
        "it is dated more than {SKEW} seconds before a witness saw the log without it, at {size} entries: backdated"
    )]
    BeforeWitness {
        /// The cosigned size.
        size: u64,
    },
    /// The record of what was published.
    #[error("the record of what the log published last {0}")]
    Head(HeadFault),
}

/// What is wrong with a cosigned checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CosignedFault {
    /// The log's part of it.
    #[error("{0}")]
    Checkpoint(#[from] CheckpointError),
    /// It is stored under another size.
    #[error("it is stored under another size")]
    Size,
    /// It is larger than the log.
    #[error("the log has fewer entries")]
    Ahead,
    /// Another tree.
    #[error("the log has another root at this size: it was changed, or shows two faces")]
    Root,
    /// A cosignature that is not its witness's.
    #[error("a line in a witness's name is not its own")]
    Signature,
}

/// What is wrong with the record of what was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HeadFault {
    /// There is none.
    #[error("is missing")]
    Missing,
    /// It holds no checkpoint of this log.
    #[error("holds no checkpoint by this log's key")]
    Unreadable,
    /// It is larger than the log.
    #[error("is of more entries than there are: the log was cut, or an old copy was put in its place")]
    Ahead,
    /// Another tree.
    #[error("is of other entries than these")]
    Aside,
}

impl Fault {
    /// The word for the check, for machines: the rows of `spec/audit.md`.
    pub fn check(&self) -> &'static str {
        match self {
            Self::Entry(_) | Self::Missing => "entry",
            Self::OwnTokenMissing | Self::OwnTokenExtra | Self::OwnTokenHash => "own-token",
            Self::TokenMissing(_) | Self::TokenHash | Self::TokenUnnamed => "token",
            Self::Evidence(_) => "evidence",
            Self::Disagrees(_) => "agreement",
            Self::Receipt(_) | Self::ReceiptForNoCall => "receipt",
            Self::OutOfTime(_) | Self::TimeBack => "time",
            Self::Side | Self::NotStarted | Self::Context(_) => "context",
            Self::Replay { .. } | Self::NotUsed(_) => "replay",
            Self::OpenTwice { .. } | Self::NotOpen | Self::NoOutcome | Self::NotOpenListed => "outcome",
            Self::SeenTwice { .. } | Self::AnswerForNoCall => "seen",
            Self::AlertAhead => "alert",
            Self::ReplayRowMissing | Self::ReplayRow | Self::Horizon => "replay-window",
            Self::Rotation | Self::Keys => "keys",
            Self::ForgottenAhead | Self::Forgotten => "forgotten",
            Self::AdoptedSize | Self::BeforeAdoption | Self::Adoption => "adoption",
            Self::Tile { .. } | Self::Tiles { .. } => "tile",
            Self::Size { .. } | Self::Root { .. } | Self::Stray | Self::Checkpoint(_) => "checkpoint",
            Self::Pinned => "pinned-key",
            Self::Cosigned { .. } | Self::NotWitnessed => "cosigned",
            Self::AfterWitness { .. } | Self::BeforeWitness { .. } => "witnessed-time",
            Self::Head(_) => "head",
        }
    }
}

/// A fault and the entry it was found at; none where it is of the log as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The entry.
    pub index: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
}

impl Finding {
    /// At an entry.
    pub fn at(index: u64, fault: impl Into<Fault>) -> Self {
        Self { index: Some(index), fault: fault.into() }
    }

    /// Of the log as a whole.
    pub fn of_the_log(fault: Fault) -> Self {
        Self { index: None, fault }
    }
}

fn token(token: Token) -> String {
    match token {
        Token::Attestation => "the attestation".to_owned(),
        Token::Delegation(n) => format!("token {} of the chain", n + 1),
        Token::CallProof => "the call proof".to_owned(),
        Token::Receipt(n) => format!("receipt {}", n + 1),
        Token::Cause => "the cause".to_owned(),
        Token::Facts => "the facts".to_owned(),
        Token::Declassification(n) => format!("declassification {}", n + 1),
        Token::Approval(n) => format!("approval {}", n + 1),
    }
}
