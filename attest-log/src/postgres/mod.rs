//! One log that several verifiers share: PostgreSQL.
//!
//! Each batch is one transaction. It takes the row `state` for itself, learns what others did meanwhile, gives the indexes,
//! writes, signs the checkpoint and commits; so there is one sequence and one tree, whoever writes. What is in memory about
//! replay keys and open calls is an early answer only: under that row's lock it is brought up to what others did, and a unique
//! constraint has the last word.
//!
//! Trust: as of a log's file. Whoever can write the tables and has not the log's key can destroy, free replay keys and keep
//! the log from going on; what he changes contradicts the signed checkpoint, and what every verifier remembers of it.

mod batch;
mod follow;
mod instance;
mod moving;
mod opening;
mod rows;
mod schema;
mod seal;
mod session;
mod side;
mod store;

use crate::error::OpenError;
use crate::place::Shared;

pub(crate) use moving::{Arriving, Leaving, forget};
pub(crate) use opening::open;
pub(crate) use rows::Reading;
pub(crate) use seal::PostgresSealer;
pub use session::PostgresError;
pub use side::{MAX_SIDE_FILE, Side, SideError, SideFiles};

/// `ATLG`: the first half of our advisory locks' numbers.
const CLASS: i32 = 0x4154_4C47;

/// Opens a log for reading.
pub(crate) fn read(shared: &Shared) -> Result<Reading, OpenError> {
    let session = session::Session::connect(shared, false).map_err(|source| refused(shared, source))?;
    schema::judge(&session, shared)?;
    Ok(Reading::new(shared, session))
}

fn refused(shared: &Shared, source: PostgresError) -> OpenError {
    OpenError::Postgres { path: shared.name(), source }
}
