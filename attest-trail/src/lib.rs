//! The trail: every message that matters between a host and its servers, as entries of a log, judged by rules as it is written.
//!
//! An [`Observer`](observer::Observer) makes events of messages, a [`Session`] is one run of one server, and the one
//! [`Recorder`] of a log appends events, shows them to the rules of `attest-watch`, and appends what those find. What the
//! messages said is redacted and kept beside the log, where it can be erased.

mod account;
mod audit;
mod config;
mod drawn;
mod how;
mod judged;
mod keep;
pub mod observer;
mod open;
mod recorder;
mod session;
mod sinks;

pub use account::Account;
pub use audit::Audit;
pub use config::Table;
pub use how::How;
pub use judged::Judged;
pub use observer::is_content;
pub use open::{OpenError, PROMPT, check, keep_prompt, open};
pub use recorder::{Recorder, Recording, Unwritten, Verdict, Writing};
pub use session::Session;
