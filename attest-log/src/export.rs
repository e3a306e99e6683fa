//! A log as static files (C2SP tlog-tiles), in a folder or a store: what any web server can serve, and anybody can check.
//!
//! Tiles and bundles come first, the checkpoint last, each whole or not at all and on the disk before the next step: whoever
//! finds a checkpoint finds all that it speaks of. Full tiles are written once; what was there before a checkpoint
//! covered it, after a run that was cut short, is compared and kept. What is written is checked on the way: entries
//! against their hashes, and hashes against the checkpoint.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use attest_core::checkpoint::{Checkpoint, CheckpointError};
use attest_core::merkle::{self, Hash};
use attest_core::tile::{MAX_LEVEL, Resource, Tile, read_bundle, read_hashes};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::{Attribute, Attributes, ObjectStore, ObjectStoreExt as _, PutOptions};
use tokio::task::JoinSet;

use crate::answer::TEXT;
use crate::error::ReadError;
use crate::reader::Reader;
use crate::site::{self, BYTES, FOR_EVER, Shown};
use crate::store_error;
use crate::tree::Within;

/// Files that are written at one time: each waits for a disk, or for a network.
const AT_ONCE: usize = 16;
/// How long a checkpoint may be cached.
const SHORTLY: &str = "no-cache";

/// Where a log is exported to.
#[derive(Clone)]
pub struct Destination {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    /// Whether files have types and cache headers there.
    attributes: bool,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Entries of the checkpoint that is there now.
    pub size: u64,
    /// Entries of the one that was there before; 0 where there was none.
    pub before: u64,
    /// Files that were written.
    pub written: u64,
    /// Files that a run before had written already, without coming to an end.
    pub kept: u64,
    /// Partial tiles that were removed, because the full ones are there.
    pub removed: u64,
}

/// Why a log is not exported, or not to the end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The folder.
    #[error("{path}: {source}", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The store.
    #[error("{}", store_error::words(.0))]
    Store(#[from] object_store::Error),
    /// The address of a store.
    #[error("{0}")]
    Address(String),
    /// No witness has cosigned anything.
    #[error("no checkpoint of this log was cosigned by witnesses")]
    NotCosigned,
    /// The log's own checkpoint is not its.
    #[error("the log's checkpoint is not that of its entries; run: attest log verify")]
    Checkpoint,
    /// An entry is not the one that was appended.
    #[error("entry {index} is not the one that the tree was made of; run: attest log verify")]
    Entry {
        /// Its index.
        index: u64,
    },
    /// A tile is not the one of the tree.
    #[error("tile {index} of level {level} is not that of the tree; run: attest log verify")]
    Tile {
        /// Its level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// What is there belongs to somebody else.
    #[error("the checkpoint that is there is not this log's ({0}); nothing was written")]
    Foreign(CheckpointError),
    /// What is there is newer.
    #[error(
        "a checkpoint of {there} entries is there, and this log has {here}: this is an old copy; nothing was written"
    )]
    Longer {
        /// There.
        there: u64,
        /// Here.
        here: u64,
    },
    /// What is there goes another way.
    #[error(
        "the checkpoint of {there} entries that is there is of another tree than this log's; keep both as evidence; nothing was written"
    )]
    Forked {
        /// Its size.
        there: u64,
    },
}

impl Destination {
    /// What a text names: `s3://bucket/prefix` as `Destination::s3`, where this was built with it, or a folder.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn named(text: &str) -> Result<Self, ExportError> {
        #[cfg(feature = "s3")]
        if text.starts_with("s3://") {
            return Self::s3(text, &[]);
        }
        if text.contains("://") {
            return Err(ExportError::Address(format!(
                "{text:?} is no folder, and this program was built without stores of that kind (s3:// takes the feature s3)"
            )));
        }
        Self::folder(Path::new(text))
    }

    /// A folder, which is made where there is none.
    ///
    /// # Errors
    /// [`ExportError::Folder`].
    pub fn folder(path: &Path) -> Result<Self, ExportError> {
        let refused = |source| ExportError::Folder { path: path.into(), source };
        std::fs::create_dir_all(path).map_err(refused)?;
        Self::existing(path)
    }

    /// A folder that is there.
    ///
    /// # Errors
    /// [`ExportError::Store`].
    pub(crate) fn existing(path: &Path) -> Result<Self, ExportError> {
        // Off unless it is said: files and their folders synced, in this order.
        let store = LocalFileSystem::new_with_prefix(path)?.with_fsync(true);
        Ok(Self { store: Arc::new(store), prefix: Key::default(), attributes: false })
    }

    /// An S3-compatible store, `s3://bucket/prefix`; region, keys and endpoint are taken from the environment, by the names that
    /// AWS's own programs use, or from `settings`, by the same names in lower case.
    ///
    /// # Errors
    /// [`ExportError::Address`], [`ExportError::Store`].
    #[cfg(feature = "s3")]
    pub fn s3(address: &str, settings: &[(&str, &str)]) -> Result<Self, ExportError> {
        use object_store::aws::AmazonS3ConfigKey::{Client, Endpoint, S3Endpoint};

        let rest = address.strip_prefix("s3://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err(ExportError::Address(format!("{address:?} is not s3://<bucket>/<prefix>")));
        }
        // The same provider as for all TLS here. That one is set already is what is wanted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = object_store::aws::AmazonS3Builder::from_env();
        for (name, value) in settings {
            builder = builder.with_config(name.parse()?, *value);
        }
        // The library's own refusal, at the first request, does not say what it is about.
        let at = [S3Endpoint, Endpoint].iter().find_map(|key| builder.get_config_value(key)).unwrap_or_default();
        let allowed = builder.get_config_value(&Client(object_store::ClientConfigKey::AllowHttp)).unwrap_or_default();
        let allowed = ["1", "true", "on", "yes", "y"].contains(&&*allowed.to_ascii_lowercase());
        if at.starts_with("http://") && !allowed {
            return Err(ExportError::Address(format!(
                "{at} is no https: whoever is on the way can read and change what is sent; if that is nobody, set AWS_ALLOW_HTTP=true"
            )));
        }
        let store = builder.with_bucket_name(bucket).build()?;
        Ok(Self {
            store: Arc::new(store),
            prefix: Key::parse(prefix).map_err(object_store::Error::from)?,
            attributes: true,
        })
    }

    fn key(&self, name: &str) -> Key {
        name.split('/').fold(self.prefix.clone(), |key, part| key.join(part))
    }

    fn options(&self, content_type: &'static str, cache: &'static str) -> PutOptions {
        let attributes = [(Attribute::ContentType, content_type), (Attribute::CacheControl, cache)];
        let attributes = if self.attributes { Attributes::from_iter(attributes) } else { Attributes::new() };
        PutOptions { attributes, ..PutOptions::default() }
    }

    /// The bytes of a file; `None` where there is none.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<bytes::Bytes>, object_store::Error> {
        self.read(&self.key(name)).await
    }

    /// Writes a file that never changes, unless it is there. Answers whether it did.
    pub(crate) async fn keep(&self, name: &str, bytes: Vec<u8>) -> Result<bool, object_store::Error> {
        let key = self.key(name);
        if self.read(&key).await?.is_some_and(|there| there == bytes) {
            return Ok(false);
        }
        self.store.put_opts(&key, bytes.into(), self.options(BYTES, FOR_EVER)).await.map(|_| true)
    }

    /// Removes a file, where it is there.
    pub(crate) async fn remove(&self, name: &str) -> Result<(), object_store::Error> {
        match self.store.delete(&self.key(name)).await {
            Err(error) if store_error::is_absent(&error) => Ok(()),
            done => done,
        }
    }

    async fn read(&self, key: &Key) -> Result<Option<bytes::Bytes>, object_store::Error> {
        match self.store.get(key).await {
            Ok(found) => found.bytes().await.map(Some),
            Err(error) if store_error::is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn put(self, resource: Resource, bytes: Vec<u8>) -> Result<bool, object_store::Error> {
        self.keep(&resource.to_string(), bytes).await
    }
}

impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Destination({}/{})", self.store, self.prefix)
    }
}

/// Brings what is at `to` up to the log's checkpoint. `progress` is told files done, and files in all.
///
/// # Errors
/// [`ExportError`]. What was written until then is no harm, and is not written again.
pub async fn export(
    reader: &Reader,
    shown: Shown,
    to: &Destination,
    mut progress: impl FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let note = site::checkpoint(reader, shown)?.ok_or(ExportError::NotCosigned)?;
    let keys = reader.log_keys()?;
    let new = keys.open(note.as_bytes()).map_err(|_| ExportError::Checkpoint)?;
    if reader.root(new.size)? != new.root {
        return Err(ExportError::Checkpoint);
    }
    let key = to.key(&Resource::Checkpoint.to_string());
    let there = to.read(&key).await?;
    let before = match &there {
        Some(there) => {
            let there = keys.open(there).map_err(ExportError::Foreign)?;
            continues(reader, &there, &new)?
        }
        None => 0,
    };
    let mut done = Exported { size: new.size, before, ..Exported::default() };
    let jobs: Vec<Tile> = to_write(before, new.size).collect();
    let total = jobs.iter().map(|tile| if tile.level() == 0 { 2 } else { 1 }).sum();
    let mut writing = JoinSet::new();
    let mut checked = Checked::default();
    for tile in jobs {
        let hashes = read(reader, &Resource::Tile(tile), new.size)?;
        let mut files = vec![(Resource::Tile(tile), hashes)];
        if tile.level() == 0 {
            let bundle = Resource::Entries(tile);
            files.push((bundle, read(reader, &bundle, new.size)?));
        }
        checked.check(&tile, &files)?;
        for (resource, bytes) in files {
            while writing.len() >= AT_ONCE {
                finished(&mut writing, &mut done).await?;
            }
            writing.spawn(to.clone().put(resource, bytes));
            progress(done.written + done.kept, total);
        }
    }
    while !writing.is_empty() {
        finished(&mut writing, &mut done).await?;
        progress(done.written + done.kept, total);
    }
    // Nothing of it is seen before this.
    if there.as_deref() != Some(note.as_bytes()) {
        to.store.put_opts(&key, note.into(), to.options(TEXT, SHORTLY)).await?;
        done.written += 1;
    }
    done.removed = remove_partial(to, before, new.size).await?;
    Ok(done)
}

/// The size of the checkpoint that is there, if the new one continues it.
fn continues(reader: &Reader, there: &Checkpoint, new: &Checkpoint) -> Result<u64, ExportError> {
    if there.size > new.size {
        return Err(ExportError::Longer { there: there.size, here: new.size });
    }
    if reader.root(there.size)? != there.root {
        return Err(ExportError::Forked { there: there.size });
    }
    Ok(there.size)
}

/// Tiles of the tree of `size` entries that the tree of `before` does not have like this, level by level.
fn to_write(before: u64, size: u64) -> impl Iterator<Item = Tile> {
    (0..=MAX_LEVEL).flat_map(move |level| {
        // The first that was not full.
        let first = before.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        let tiles = (first..).map_while(move |index| Tile::of_tree(level, index, size));
        tiles.filter(move |tile| Tile::of_tree(level, tile.index(), before) != Some(*tile))
    })
}

fn read(reader: &Reader, resource: &Resource, size: u64) -> Result<Vec<u8>, ExportError> {
    site::bytes(reader, resource, size)?.ok_or(ExportError::Checkpoint)
}

/// Roots of the full tiles that were written, to hold the next level against.
#[derive(Default)]
struct Checked {
    level: u8,
    /// Of the level below: index of the first, and the roots.
    below: (u64, Vec<Hash>),
    here: (u64, Vec<Hash>),
}

impl Checked {
    /// Whether the tile is made of what was written before, and the entries are those of the tile.
    fn check(&mut self, tile: &Tile, files: &[(Resource, Vec<u8>)]) -> Result<(), ExportError> {
        let wrong = || ExportError::Tile { level: tile.level(), index: tile.index() };
        if tile.level() != self.level {
            self.level = tile.level();
            self.below = std::mem::take(&mut self.here);
        }
        let [(_, bytes), rest @ ..] = files else { return Err(wrong()) };
        let hashes = read_hashes(bytes, tile.width()).ok_or_else(wrong)?;
        let (first, below) = &self.below;
        for (index, hash) in (tile.index() << 8..).zip(&hashes) {
            let child = index.checked_sub(*first).and_then(|at| below.get(usize::try_from(at).ok()?));
            if child.is_some_and(|child| child != hash) {
                return Err(wrong());
            }
        }
        if let [(_, bundle)] = rest {
            let entries = read_bundle(bundle, tile.width()).ok_or_else(wrong)?;
            for (index, (entry, hash)) in (tile.first_entry()..).zip(entries.iter().zip(&hashes)) {
                if merkle::leaf(entry) != *hash {
                    return Err(ExportError::Entry { index });
                }
            }
        }
        if tile.is_full() {
            if self.here.1.is_empty() {
                self.here.0 = tile.index();
            }
            self.here.1.push(Within::of(bytes).root().ok_or_else(wrong)?);
        }
        Ok(())
    }
}

type Put = Result<bool, object_store::Error>;

async fn finished(writing: &mut JoinSet<Put>, done: &mut Exported) -> Result<(), ExportError> {
    match writing.join_next().await {
        Some(Ok(written)) => {
            if written? {
                done.written += 1;
            } else {
                done.kept += 1;
            }
            Ok(())
        }
        Some(Err(error)) => Err(ExportError::Address(format!("writing failed from within: {error}"))),
        None => Ok(()),
    }
}

/// Removes the partial tiles and bundles whose full ones are there since this run (C2SP tlog-tiles allows it); without it a
/// log that is exported often would leave up to 255 of each.
async fn remove_partial(to: &Destination, before: u64, size: u64) -> Result<u64, ExportError> {
    let mut removed = 0;
    for level in 0..=MAX_LEVEL {
        let last = before.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
        let Some(full) = Tile::of_tree(level, last, size).filter(Tile::is_full) else { continue };
        let mut names = vec![Resource::Tile(full).to_string()];
        if level == 0 {
            names.push(Resource::Entries(full).to_string());
        }
        for name in names {
            for object in to.store.list_with_delimiter(Some(&to.key(&format!("{name}.p")))).await?.objects {
                to.store.delete(&object.location).await?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}
