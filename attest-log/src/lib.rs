//! The durable log: entries, the tokens they name, and the replay window, in one SQLite file, or in a database that several verifiers share.
//!
//! ```text
//!   append() ──┐                        ┌── entry + tokens + replay key + open call ──┐
//!   append() ──┼─ bounded channel ── writer thread            one transaction       COMMIT (fsync) ── answers
//!   append() ──┘                        └── pruned replay keys + horizon ─────────────┘
//! ```
//!
//! * [`Log`] appends. One per file, held by an operating-system lock. An append is answered after the commit that
//!   holds it is durable, and many appends share one commit.
//! * [`Reader`] reads, in this process or another, while a [`Log`] writes.
//!
//! What it promises: an index that was handed out is on the disk with its replay key; indexes are 0, 1, 2, … without a
//! gap; a replay key is taken once for as long as it can be told apart ([`ReplayKey`]); after the first failed write or
//! fsync nothing is acknowledged any more ([`StopReason`]).
//!
//! The entries are the leaves of a Merkle tree (RFC 6962). Each commit signs a checkpoint of it with the log's own key
//! ([`LogKey`]), and an append can have its proof with it ([`Record::prove`]).
//!
//! What it does not do: storage reads no clock (`now` is an argument; [`clock`] is for its callers) and knows nothing of
//! what an entry says (canonical JSON, to this crate opaque bytes).
//!
//! Trust: who can modify the database file, and does not have the log's key, can at most keep the log from starting, free
//! used replay keys until the next verification, and destroy; a changed, cut or exchanged entry contradicts the signed
//! checkpoint, and a whole older copy contradicts `<log>.head`, receipts and witnesses. Who has the key too can make
//! another log, which contradicts what receipt holders and witnesses have seen. Hence mode 0600, refused when wider.

mod answer;
pub mod clock;
pub mod danger;
mod error;
pub mod export;
#[cfg(test)]
mod fault_tests;
mod head;
mod inbox;
mod key;
mod load;
mod log;
mod moving;
mod place;
mod postgres;
mod reader;
mod record;
mod replay;
mod rows;
pub mod sealed;
mod site;
mod snapshot;
mod sqlite;
mod store;
mod store_error;
mod stored;
mod tree;
mod wait;
pub mod witness;
mod writer;

pub use answer::Answer;
pub use error::{AppendError, OpenError, Part, ReadError, StopReason};
pub use head::Found as Published;
pub use key::{KeyFailed, LogKey, LogKeyError};
pub use log::{Log, Options, Recovery, Testing};
pub use moving::{MoveError, Moved, move_log};
pub use place::{Place, Shared};
pub use postgres::{MAX_SIDE_FILE, PostgresError, Side, SideError, SideFiles};
pub use reader::{Entries, Entry, Reader};
pub use record::{
    Appended, Hash, Inclusion, MAX_BODY, MAX_REPLAY_PART, MAX_TOKEN, MAX_TOKENS, OpenCall, Record, ReplayKey,
    ReplayKeyError, Token,
};
pub use replay::{Freshness, PRUNE_MARGIN};
pub use site::{Shown, Site};
pub use snapshot::{ReplayRow, Snapshot, TileCount};
pub use tree::TILE_WIDTH;
