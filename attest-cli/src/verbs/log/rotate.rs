//! `attest log rotate`: the log gets another key.

use std::path::PathBuf;

use attest_core::entry::Entry;
use attest_core::sign::Sign as _;
use attest_keys::{Form, KeyError, KeySource, SecretKey};
use attest_log::clock::{now, now_ms};
use attest_log::{Log, LogKey, Options, Reader, Record};

use crate::{Ending, output};

/// Gives a log another key; its guard or signer must be stopped
///
/// The old key signs one more entry, which names the new one, and nothing after it for ever. Tell those who pin the key, and
/// name the new one as log_key in the configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG")]
    log: PathBuf,
    /// The key in force: a file, or `ssh-agent:<name>`; by default the file beside the log
    #[arg(long, value_name = "KEY")]
    key: Option<KeySource>,
    /// The new key; a file that is not there yet is made
    #[arg(long, value_name = "KEY")]
    new_key: KeySource,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let keys = Reader::open(&args.log)?.log_keys()?;
    let old = LogKey::of_log(&args.log, args.key.as_ref(), keys.origin())?;
    // Opened first: a log that another process writes, or that the key is not the key of, makes no new key.
    let (log, _) = Log::open(&args.log, old.clone(), Options::default())?;
    let new = match (args.new_key.load(), &args.new_key) {
        (Err(KeyError::Missing { .. }), KeySource::File(file)) => {
            SecretKey::generate()?.write(file, Form::Pem)?;
            args.new_key.load()?
        }
        (loaded, _) => loaded?,
    };
    let new = LogKey::new(keys.origin(), new)?;
    if keys.all().iter().any(|(key, _)| key.key() == new.public()) {
        return Err("this key was the log's before, or is: a retired key does not come back; make another".into());
    }
    let record = Record {
        next_key: Some(Box::new(new.vkey().clone())),
        ..Record::new(Entry::key(old.vkey(), new.vkey(), now_ms()).to_bytes())
    };
    let index = log.append_blocking(record, now())?.index;
    log.close()?;
    let lines = Reader::open(&args.log)?.log_keys()?.to_lines();
    if args.json {
        output::json(&serde_json::json!({ "index": index, "keys": lines }))?;
    } else {
        output::line(format!("entry {index} is the last that the old key signed; the log's keys are now:"));
        lines.iter().for_each(output::line);
        output::remark(format!("name the new one in the configuration: log_key = {:?}", args.new_key.to_string()));
    }
    Ok(0)
}
