//! A log as others read it (C2SP tlog-tiles): checkpoint, tiles, bundles of entries. `spec/tile.md`.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use attest_core::tile::{Resource, Tile, write_bundle};

use crate::answer::Answer;
use crate::error::{OpenError, ReadError};
use crate::reader::Reader;
use crate::witness::client::size_of;

/// What a tile or a bundle is.
pub(crate) const BYTES: &str = "application/octet-stream";
/// Whatever a tree once had at a place it has for ever.
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Which checkpoint is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shown {
    /// The newest, with the cosignatures of witnesses where they have seen it already.
    #[default]
    Newest,
    /// The newest that witnesses have cosigned.
    Cosigned,
}

/// A log that is read over HTTP, also while it is written.
pub struct Site {
    reader: Mutex<Reader>,
    shown: Shown,
}

impl Site {
    /// The log at `path`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(path: &Path, shown: Shown) -> Result<Self, OpenError> {
        Ok(Self { reader: Mutex::new(Reader::open(path)?), shown })
    }

    /// Answers `GET <path>`, `path` being without the log's prefix and without a slash before it.
    pub fn get(&self, path: &str) -> Answer {
        let Some(resource) = Resource::parse(path) else { return Answer::not_found() };
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match resource {
            Resource::Checkpoint => {
                checkpoint(&reader, self.shown).map(|note| note.map(|note| Answer::text(200, note)))
            }
            Resource::Tile(_) | Resource::Entries(_) => {
                let bytes = reader.len().and_then(|size| bytes(&reader, &resource, size));
                bytes.map(|bytes| bytes.map(|body| Answer { status: 200, content_type: BYTES, cache: FOR_EVER, body }))
            }
        };
        match found {
            Ok(answer) => answer.unwrap_or_else(Answer::not_found),
            Err(error) => {
                tracing::error!("{path} of the log cannot be read: {error}");
                Answer::failed(500, "the log cannot be read")
            }
        }
    }
}

/// The checkpoint that is shown; none where witnesses have cosigned none and one is asked for.
pub(crate) fn checkpoint(reader: &Reader, shown: Shown) -> Result<Option<String>, ReadError> {
    let newest = reader.checkpoint()?;
    Ok(match (reader.last_cosigned()?, shown) {
        (cosigned, Shown::Cosigned) => cosigned.map(|(_, note)| note),
        // Read after the other, it may be of a newer one.
        (Some((size, note)), Shown::Newest) if size >= size_of(&newest) => Some(note),
        (_, Shown::Newest) => Some(newest),
    })
}

/// The bytes of a tile or a bundle in the tree of the first `size` entries; none where that tree has none of this width.
pub(crate) fn bytes(reader: &Reader, resource: &Resource, size: u64) -> Result<Option<Vec<u8>>, ReadError> {
    let (Resource::Tile(tile) | Resource::Entries(tile)) = resource else { return Ok(None) };
    let here = Tile::of_tree(tile.level(), tile.index(), size);
    if here.is_none_or(|here| here.width() < tile.width()) {
        return Ok(None);
    }
    if let Resource::Tile(_) = resource {
        let mut hashes = reader.tile(tile.level(), tile.index(), size)?;
        hashes.truncate(32 * usize::from(tile.width()));
        return Ok(Some(hashes));
    }
    let first = tile.first_entry();
    let entries = reader.entries(first..first.saturating_add(u64::from(tile.width())));
    let bodies = entries.map(|entry| Ok(entry?.body)).collect::<Result<Vec<_>, ReadError>>()?;
    // Only a file that was changed from outside has an entry that is too long for a bundle.
    write_bundle(&bodies).map(Some).ok_or(ReadError::Gap { index: first })
}
