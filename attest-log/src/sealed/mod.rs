//! Sealed entries: the old part of a log, moved out of its database to a folder or an object store. `spec/sealed.md`.
//!
//! What is moved are the rows of entries: bodies, and the tokens that came with one entry alone. Tiles, shared tokens, replay
//! keys, open calls and cosigned checkpoints stay, so everything that is proved is proved from the database. The table `sealed`
//! says what is where; its parts follow each other from entry 0 on, in whole tiles.
//!
//! A part is written, read back and held against the tree and the rows; then it is noted; then its rows are removed. Cut short
//! anywhere, all rows are there, or the part is noted and the next run removes what is left of them.
//!
//! Trust: whoever can write where sealed entries are can destroy them. What he changes of a body contradicts the tree, which is
//! looked at before it is shown; what he changes of a token contradicts the entry that names it.

pub(crate) mod form;
mod home;
mod read;
mod seal;

use std::path::PathBuf;

pub use home::PartError;
pub(crate) use read::Sealed;
pub(crate) use seal::Sealer;
pub use seal::{Knows, SealError, Sealing, Step};

use crate::tree::TILE_WIDTH;

/// Sealed entries that were moved at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedPart {
    /// Index of the first.
    pub first: u64,
    /// Index behind the last.
    pub until: u64,
    /// The folder or the address; a folder below the log's own file is named from that file's folder.
    pub place: PathBuf,
    /// Whether the tokens that came with its entries alone were let go.
    pub forgotten: bool,
}

/// Index behind the last entry whose token was let go, 0 where none was.
pub(crate) fn forgotten_of(parts: &[SealedPart]) -> u64 {
    parts.iter().filter(|part| part.forgotten).map(|part| part.until).max().unwrap_or(0)
}

/// Index behind the last sealed entry, 0 where there is none; `None` where the parts are not in whole tiles one after the
/// other from entry 0 on, as they must be.
pub(crate) fn end_of(parts: &[SealedPart]) -> Option<u64> {
    parts.iter().try_fold(0, |end, part| {
        let fits = part.first == end && part.until > end && part.until.is_multiple_of(TILE_WIDTH as u64);
        fits.then_some(part.until)
    })
}
