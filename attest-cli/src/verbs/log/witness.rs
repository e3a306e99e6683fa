//! `attest log witness`: has a log's newest checkpoint cosigned, once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use attest_core::log_policy::LogPolicy;
use attest_keys::KeySource;
use attest_log::witness::client::{Client, Times};
use attest_log::{Log, LogKey, Options, Reader, clock};

use crate::{Ending, output};

/// Asks the witnesses of a policy for cosignatures over the log's newest checkpoint, and keeps them in the log. For a log that
/// nobody writes at the moment; a guard asks by itself.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The log's file
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// Who the witnesses are, and how many are enough (C2SP tlog-policy)
    #[arg(long, value_name = "FILE", default_value = "witness.policy")]
    policy: PathBuf,
    /// The log's key, a file or ssh-agent:…, if it is not LOG.key
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Certificate authorities to believe instead of the system's (PEM)
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Ending {
    let text = std::fs::read(&args.policy).map_err(|e| format!("cannot read {}: {e}", args.policy.display()))?;
    let policy = LogPolicy::parse(&text).map_err(|e| format!("{}: {e}", args.policy.display()))?;
    let mut client = Client::new(policy, args.roots.as_deref(), Times::default())?;
    let reader = Reader::open(&args.log)?;
    let origin = reader.log_keys()?.origin().to_owned();
    let source = args.key.as_deref().map(KeySource::parse).transpose()?;
    let key = LogKey::of_log(&args.log, source.as_ref(), &origin)?;
    let (log, _) = Log::open(&args.log, key, Options::default())?;
    let reader = Arc::new(Mutex::new(reader));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let round = runtime.block_on(client.round(&log.checkpoint(), &reader, clock::now()));
    for (name, said) in &round.answers {
        match said {
            Ok(_) => output::line(format_args!("{name}  cosigned {} entries", round.size)),
            Err(failed) => output::line(format_args!("{name}  did not cosign: {failed}")),
        }
    }
    let kept = match round.note {
        Some(note) => Some(runtime.block_on(log.keep_cosigned(round.size, note))?),
        None => None,
    };
    log.close()?;
    match kept {
        Some(()) => Ok(0),
        None => Err("too few witnesses cosigned; nothing was kept".into()),
    }
}
