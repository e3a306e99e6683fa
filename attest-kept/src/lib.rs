//! What is kept beside a log and never in it: redacted texts, and the salts of the commitments in them.
//!
//! A log cannot forget; this can. One SQLite file, `<log>.kept`, mode 0600, has a row for each entry of which something is
//! kept. Erasing a row makes the commitments that stand in the log say nothing for good.
//!
//! Nothing here is evidence: rows are written in groups by a thread of its own, and the last ones may be lost with the power.
//! An attacker who can change the file can make texts and salts disappear, and show other texts; not make a claimed value fit
//! a commitment that is in the log. One who can read it sees what redaction left, and can try values against commitments.
//!
//! [`Kept::erase`] removes rows from the file and its write-ahead file, freed space overwritten. It does not reach backups, snapshots,
//! or blocks that a file system or disk has put aside.

mod error;
mod sqlite;
mod store;

pub use error::KeptError;
pub use store::{Checked, Erase, Kept, Row};
