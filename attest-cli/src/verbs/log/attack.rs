//! `attest log attack`: what can be done to this log, and who notices.

use std::path::PathBuf;

use attest_keys::KeySource;
use attest_log::{LogKey, OpenError, Place, Reader};
use server_verifier::Config;

use super::WRONG;
use super::pins::Pins;
use crate::attack::{self, Arms};
use crate::{Ending, output};

/// Tries every attack on copies of a log, never on the log itself, and says what notices each
///
/// Without --key-file these are the attacks of whoever can write the log's files; with it, also those of whoever holds the
/// log's key and makes everything anew, which only holders of receipts, and witnesses, can notice. Sealed entries are read where they
/// are, and copied too. Exits with 1 if something that should be noticed is not.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file, or a database's address
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// The log's private key, for the attacks of its holder
    #[arg(long, value_name = "KEY")]
    key_file: Option<KeySource>,
    #[command(flatten)]
    pins: Pins,
    /// The configuration whose attesters and roots count
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Judge each copy in this PostgreSQL database, as a log that several verifiers share; there must be no log in it yet
    #[arg(long, value_name = "URL")]
    through: Option<PathBuf>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    if let Some(through) = &args.through {
        match Place::from(through) {
            Place::File(path) => return Err(format!("{} is no address of a database", path.display()).into()),
            place => match Reader::open(&place) {
                Err(OpenError::NotALog { .. }) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => return Err(format!("{place} has a log, which would be lost; name an empty database").into()),
            },
        }
    }
    let own = Reader::open(&args.log)?.log_keys()?;
    let key = args.key_file.as_ref().map(|source| LogKey::of_log(&args.log, Some(source), own.origin())).transpose()?;
    // What others pin is what the log has today, where nobody says otherwise: the attacks come after that.
    let arms = Arms {
        log: &args.log,
        key,
        pinned: args.pins.keys()?.unwrap_or(own),
        policy: args.pins.policy()?,
        trust: args.trust.as_deref().map(Config::read).transpose()?.map(|config| config.trust),
        through: args.through.as_deref(),
    };
    let bar = output::Bar::of_entries();
    let rows = attack::run(&arms, |done, total| bar.show("attacks", done, total));
    bar.clear();
    let rows = rows?;
    if args.json {
        output::json(&rows)?;
    } else {
        output::attacks(&rows);
    }
    Ok(if rows.iter().all(|row| row.as_it_should) { 0 } else { WRONG })
}
