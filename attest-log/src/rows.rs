//! What is read of a stored log, whichever database holds it.

use attest_core::checkpoint::LogKeys;
use attest_core::note::Vkey;

use crate::error::ReadError;
use crate::record::{Hash, OpenCall};
use crate::sealed::SealedPart;
use crate::snapshot::{ReplayRow, Snapshot};

/// Shown an entry: its index, its body, the token that came with it alone. `false` ends the walk.
pub(crate) type EachEntry<'e> = dyn FnMut(u64, &[u8], Option<&str>) -> bool + 'e;
/// Shown a token: the hash that it is stored under, and its text. `false` ends the walk.
pub(crate) type EachToken<'e> = dyn FnMut(&[u8], &str) -> bool + 'e;

/// The tables of a log. Nothing is checked here but that what is read has the type that it should have.
pub(crate) trait Rows: Send {
    /// One more than the index of the last entry.
    fn len(&self) -> Result<u64, ReadError>;

    fn body(&self, index: i64) -> Result<Option<Vec<u8>>, ReadError>;

    /// The token that came with an entry alone.
    fn own_token(&self, index: i64) -> Result<Option<String>, ReadError>;

    /// Entries from `from` to before `to`, in order. A token that is no UTF-8 is shown as the empty text.
    fn walk(&self, from: i64, to: i64, each: &mut EachEntry<'_>) -> Result<(), ReadError>;

    /// The token that is stored under a hash.
    fn token(&self, hash: &Hash) -> Result<Option<String>, ReadError>;

    fn tokens(&self, each: &mut EachToken<'_>) -> Result<(), ReadError>;

    fn checkpoint(&self) -> Result<String, ReadError>;

    /// All, or the newest alone; smallest first.
    fn cosigned(&self, last: bool) -> Result<Vec<(u64, String)>, ReadError>;

    fn open(&self) -> Result<Vec<OpenCall>, ReadError>;

    /// The table of keys, in order: the size beyond which each is in force, and the key.
    fn keys(&self) -> Result<Vec<(i64, String)>, ReadError>;

    fn tile(&self, level: u8, index: i64) -> Result<Option<Vec<u8>>, ReadError>;

    /// The table of sealed parts, in order; none where the log is of a version before there were any.
    fn sealed(&self) -> Result<Vec<SealedPart>, ReadError>;

    fn snapshot(&self, replay: &mut dyn FnMut(ReplayRow<'_>)) -> Result<Snapshot, ReadError>;
}

/// The table of keys: each is in force for trees larger than its `since`.
pub(crate) fn read_keys(rows: &dyn Rows) -> Result<LogKeys, ReadError> {
    let mut keys: Vec<(Vkey, u64)> = Vec::new();
    let mut current: Option<Vkey> = None;
    for (since, key) in rows.keys()? {
        let since = u64::try_from(since).map_err(|_| ReadError::Keys)?;
        let key = Vkey::parse(&key).map_err(|_| ReadError::Keys)?;
        match current.replace(key) {
            Some(before) => keys.push((before, since)),
            None if since == 0 => {}
            None => return Err(ReadError::Keys),
        }
    }
    LogKeys::new(keys, current.ok_or(ReadError::Keys)?).map_err(|_| ReadError::Keys)
}
