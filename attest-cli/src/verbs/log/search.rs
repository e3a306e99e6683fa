//! `attest log search`: entries by what they hold.

use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::json;
use attest_forensics::{Hit, Query, Search};
use attest_kept::Kept;
use serde_json::json as document;

use super::several::shown;
use crate::{Ending, output};

/// Finds entries by what they hold, in one log or in many, the latest last. Exits with 1 where there are none
///
/// An index is made beside each log (`<log>.index`) and kept up to date; it is no evidence: each entry that is shown was read from its log and
/// proved against the log's own checkpoint. Whether that is to be believed, `attest log verify` says.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Entries with these arguments (a file of JSON): by the salts of what a trail kept, one after the other
    #[arg(long, value_name = "FILE")]
    arguments: Option<PathBuf>,
    /// At most so many, the latest
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: u64,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

/// What is looked for: an entry has to have all of it.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Filter {
    /// Not before this: 2026-11-27T10:00:00Z, or how long ago (`2h`)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    since: Option<u64>,
    /// Before this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    until: Option<u64>,
    /// Of this type: decision, outcome, call, alert, seen, …; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// By this agent
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// At this server
    #[arg(long, value_name = "AUDIENCE")]
    server: Option<String>,
    /// Of this tool, or method
    #[arg(long, value_name = "NAME")]
    tool: Option<String>,
    /// allow or deny; how a call ended: result, tool-error, error, unknown; of receipts: ok or bad
    #[arg(long, value_name = "WORD")]
    verdict: Option<String>,
    /// Refused for this reason, or an alert by this rule
    #[arg(long, value_name = "REASON")]
    reason: Option<String>,
    /// Calls by whoever had seen data with this label
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Naming this host or domain
    #[arg(long, value_name = "HOST")]
    destination: Option<String>,
    /// About this call: hash of its proof
    #[arg(long, value_name = "CALL", allow_hyphen_values = true, value_parser = digest)]
    call: Option<Digest>,
    /// With this commitment: to parameters, arguments, a result, a description
    #[arg(long, value_name = "DIGEST", allow_hyphen_values = true, value_parser = digest)]
    commitment: Option<Digest>,
    /// With these words in what a trail kept of it
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
}

impl Filter {
    pub(crate) fn query(&self) -> Query {
        let Self { since, until, kinds, agent, server, tool, verdict, reason, .. } = self;
        let Self { label, destination, call, commitment, text, .. } = self;
        Query {
            since: *since,
            until: *until,
            kinds: kinds.clone(),
            agent: agent.clone(),
            server: server.clone(),
            tool: tool.clone(),
            verdict: verdict.clone(),
            reason: reason.clone(),
            label: label.clone(),
            destination: destination.as_ref().map(|host| host.to_lowercase()),
            call: *call,
            commitment: *commitment,
            text: text.clone(),
            from: None,
            below: None,
        }
    }

    /// From when on, and until when.
    pub(crate) fn times(&self) -> (u64, u64) {
        (self.since.unwrap_or(0), self.until.unwrap_or(u64::MAX))
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::from_b64(text).ok_or_else(|| "43 characters of base64url".to_owned())
}

/// A time, or how long ago, in milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Result<u64, String> {
    if let Ok(ago) = text.parse::<humantime::Duration>() {
        let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
        return Ok(attest_log::clock::now_ms().saturating_sub(ago));
    }
    let time: jiff::Timestamp =
        text.parse().map_err(|_| "a time as 2026-11-27T10:00:00Z, or how long ago as 2h".to_owned())?;
    u64::try_from(time.as_millisecond()).map_err(|_| "a time before 1970".to_owned())
}

/// Opens logs for searching, with a bar where an index has to be made.
pub(crate) fn open(logs: &[PathBuf]) -> Result<Search, Box<dyn std::error::Error>> {
    let bar = output::Bar::of_entries();
    let search = Search::open(logs, |_, done, total| bar.show("indexed", done, total));
    bar.clear();
    Ok(search?)
}

pub(crate) fn run(args: &Args) -> Ending {
    let search = open(&args.logs)?;
    let query = args.filter.query();
    let mut hits = Vec::new();
    match &args.arguments {
        None => hits = search.find(&query, args.last)?,
        Some(file) => {
            for commitment in committed(&args.logs, file)? {
                hits.extend(search.find(&Query { commitment: Some(commitment), ..query.clone() }, args.last)?);
            }
            hits.sort_by_key(|hit| std::cmp::Reverse((hit.row.time, hit.log, hit.row.index)));
            hits.truncate(usize::try_from(args.last).unwrap_or(usize::MAX));
        }
    }
    let names: Vec<&str> = search.logs().map(attest_forensics::Evidence::origin).collect();
    for Hit { log, row } in hits.iter().rev() {
        let name = names.get(*log).copied().unwrap_or_default();
        if args.json {
            let file = args.logs.get(*log).map(|log| shown(log));
            output::json(&document!({ "log": name, "file": file, "entry": row }))?;
        } else {
            output::line(output::row(Some(name).filter(|_| names.len() > 1), row));
        }
    }
    if !args.json {
        let most = if hits.len() as u64 == args.last { "; there may be more before, --last N shows them" } else { "" };
        output::remark(format!("{} entries, each proved in its log{most}", hits.len()));
    }
    Ok(u8::from(hits.is_empty()))
}

/// The commitments that were made to these arguments.
fn committed(logs: &[PathBuf], file: &Path) -> Result<Vec<Digest>, Box<dyn std::error::Error>> {
    let text = output::input(file)?;
    let value = json::parse(text.as_bytes()).map_err(|error| format!("{}: {error}", file.display()))?;
    let canonical = value.to_canonical();
    let mut found = Vec::new();
    for log in logs.iter().filter(|log| log.with_added_extension("kept").exists()) {
        Kept::open(log)?.salts(|commitment, salt| {
            if Digest::salted(salt, &canonical) == *commitment {
                found.push(*commitment);
            }
        })?;
    }
    Ok(found)
}
