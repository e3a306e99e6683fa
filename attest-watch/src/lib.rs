//! Rules over what was seen: events in, findings out.
//!
//! No clock, file or socket is read here, and nothing but what stands in the log's entries: the same rules over an old log come
//! to the same as they did when it was written. [`scan`], [`capability`] and [`schema`] help whoever makes the events;
//! [`Watch`] judges them; [`replay()`] does so over a whole log.

pub mod capability;
pub mod replay;
pub mod rules;
pub mod scan;
pub mod schema;
mod watch;

/// What a rule found: the alert that is to be written down.
pub use attest_core::alert::Alert as Finding;
pub use replay::replay;
pub use rules::{Rules, RulesError};
pub use watch::Watch;
