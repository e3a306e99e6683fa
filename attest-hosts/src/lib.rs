//! The configuration files of MCP hosts, as files and text: where they are, which servers they name, whether a server is
//! reached through attest, and edits that put attest in between and take it out again.
//!
//! An edit is a handful of splices into the text at positions that the parser gave, so comments, order, indentation and line
//! ends are kept because nothing touches them. What was replaced is kept word for word in `<file>.attest-state`.
//!
//! Not in scope: what a host brings with itself or takes from elsewhere (extensions, plugins, connectors of an account,
//! arguments of its command line). `docs/hosts.md` lists what a host may reach that stands in none of these files.

mod document;
mod edit;
mod entry;
mod file;
mod host;
mod plan;
mod record;
mod undo;
mod way;

pub use document::{DocumentError, Fault};
pub use entry::{Reach, Server, Transport, Why, servers};
pub use file::{BACKUP, FileError};
pub use host::{Base, Found, Host, PLACES, Place, Scope, Surroundings, System, find, projects};
pub use plan::{Applied, Outcome, Plan, PlanError, Step, install, remove};
pub use record::STATE;
pub use way::{Known, Left, Way};
