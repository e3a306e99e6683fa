//! `attest report`: what happened, as one page to be handed over.

mod page;

use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_forensics::timeline::{Moment, Timeline};
use attest_forensics::{Evidence, Trace};
use server_verifier::Config;

use super::bundle::named;
use super::delegate::write_new;
use crate::verbs::log::search::{Filter, open};
use crate::{Ending, output};

/// Writes one HTML file: what happened over these logs, agents' states and what changed in them, alerts, refusals, and the whole provenance of
/// single calls, each statement with the command that checks it offline
///
/// The page needs nothing but itself: no script, nothing from elsewhere. It is no evidence; the logs are, or a bundle of them (`attest bundle`).
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    /// What the page is called
    #[arg(long, value_name = "TEXT", default_value = "Report on agents' calls")]
    title: String,
    /// The provenance of this call: the hash of its proof, or its first 8 characters or more; may be repeated
    #[arg(long = "trace", value_name = "CALL", allow_hyphen_values = true)]
    calls: Vec<String>,
    #[command(flatten)]
    filter: Filter,
    /// Whose attesters and roots are believed: a guard.toml
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Where it goes
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    out: PathBuf,
}

/// Most lines of what happened: more is no report.
const MOST: usize = 5_000;

/// All that stands on the page.
struct Report<'r> {
    title: &'r str,
    made: u64,
    logs: Vec<Log<'r>>,
    moments: Vec<Moment>,
    /// Whether there was more.
    cut: bool,
    traces: Vec<(Digest, String)>,
    trust: Option<&'r Path>,
}

struct Log<'r> {
    file: &'r Path,
    evidence: &'r Evidence,
}

pub(crate) fn run(args: &Args) -> Ending {
    let search = open(&args.logs)?;
    let config = args.trust.as_deref().map(Config::read).transpose()?;
    let trust = config.as_ref().map(|config| &config.trust);
    let mut traces = Vec::new();
    for text in &args.calls {
        let call = named(&search, text)?;
        traces.push((call, super::trace::tree(&Trace::of(&search.sources(), call, trust)?)));
    }
    let (since, until) = args.filter.times();
    let query = args.filter.query();
    let mut timeline = Timeline::new(search.logs());
    let (mut moments, mut cut) = (Vec::new(), false);
    while let Some(moment) = timeline.step()? {
        if moment.last < since || moment.row.time >= until || !query.matches(&moment.row) {
            continue;
        }
        if moments.len() == MOST {
            cut = true;
            break;
        }
        moments.push(moment);
    }
    let logs = args.logs.iter().zip(search.logs()).map(|(file, evidence)| Log { file, evidence });
    let report = Report {
        title: &args.title,
        made: attest_log::clock::now_ms(),
        logs: logs.collect(),
        moments,
        cut,
        traces,
        trust: args.trust.as_deref(),
    };
    write_new(&args.out, &page::whole(&report))?;
    output::line(args.out.display());
    Ok(0)
}
