//! The durable log: entries, the tokens they name, and the replay window, in one SQLite file.
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
//! What it does not do: storage reads no clock (`now` is an argument; [`clock`] is for its callers), knows nothing of what an entry says (canonical JSON,
//! to this crate opaque bytes), and gives no proof against whoever can write the file.
//!
//! Trust: who can modify the database file can rewrite or cut the log and free used replay keys. Nothing in this crate
//! shows that; the tree, its signed checkpoints and the record kept outside the database do, and are a layer above.
//! Who can write the directory can swap the file. Hence mode 0600, refused when wider.

pub mod clock;
mod error;
mod log;
mod reader;
mod record;
mod replay;
mod sqlite;
mod store;
mod wait;
mod writer;

pub use error::{AppendError, OpenError, Part, ReadError, StopReason};
pub use log::{Log, Options, Recovery, Testing};
pub use reader::{Entries, Entry, Reader};
pub use record::{
    Hash, MAX_BODY, MAX_REPLAY_PART, MAX_TOKEN, MAX_TOKENS, OpenCall, Record, ReplayKey, ReplayKeyError, Token,
};
pub use replay::{Freshness, PRUNE_MARGIN};
