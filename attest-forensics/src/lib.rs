//! What logs say, found again: by whoever has to know later who did what, for whom, in which state and with which data.
//!
//! A [`Row`] is one entry, flat. An [`Index`] beside a log finds rows by what they hold; it is made from the log and thrown away at will, and it is
//! **no evidence**: every [`Hit`] is read from the log again and proved against its tree. Nothing here decides whether a log is to be
//! believed: that is what its checkpoint is for, and who has its key pinned.

pub mod bundle;
mod by_time;
mod error;
mod evidence;
pub mod export;
mod index;
mod query;
mod row;
mod search;
mod source;
pub mod timeline;
pub mod trace;

pub use bundle::Bundle;
pub use by_time::ByTime;
pub use error::ForensicsError;
pub use evidence::Evidence;
pub use index::{Index, path_of};
pub use query::Query;
pub use row::Row;
pub use search::{Found, Hit, Page, Search};
pub use source::Source;
pub use timeline::Timeline;
pub use trace::Trace;
