//! `attest timeline`: what happened, in the order of time.

use std::path::PathBuf;

use attest_forensics::timeline::{Change, Moment, Timeline};
use attest_forensics::{Evidence, Row};
use serde_json::json as document;

use crate::verbs::log::search::Filter;
use crate::{Ending, output};

/// What happened over all these logs, in the order of time: starts, calls (alike ones in one line), refusals, changed states, alerts, what people did
///
/// An agent's state is compared from call to call by what it attested. Logs are read whole, as far as their own checkpoints cover them;
/// `attest log verify` says whether those hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", required = true)]
    logs: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    /// Changes of agents' states alone
    #[arg(long)]
    changes: bool,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let logs = args.logs.iter().map(|log| Evidence::open(log)).collect::<Result<Vec<_>, _>>()?;
    let (since, until) = args.filter.times();
    let query = args.filter.query();
    let mut timeline = Timeline::new(&logs);
    let mut shown = 0u64;
    while let Some(moment) = timeline.step()? {
        let wanted = moment.last >= since && moment.row.time < until && query.matches(&moment.row);
        if !wanted || (args.changes && moment.changed.is_empty()) {
            continue;
        }
        shown += 1;
        let name = logs.get(moment.log).map(Evidence::origin).unwrap_or_default();
        if args.json {
            output::json(&document!({ "log": name, "moment": moment }))?;
        } else {
            output::line(line(name, &moment));
            moment.changed.iter().for_each(|change| output::line(changed(&moment.row, change)));
        }
    }
    Ok(u8::from(shown == 0))
}

fn line(name: &str, moment: &Moment) -> String {
    let Moment { row, times, last, .. } = moment;
    let again = match times {
        1 => String::new(),
        times => format!(" ({times} times until {})", output::time(*last)),
    };
    format!("{}  {}#{:<6} {}{again}", output::time(row.time), name.escape_debug(), row.index, output::said(row))
}

fn changed(row: &Row, change: &Change) -> String {
    let Change { component, before, after } = change;
    let of = row.agent.as_deref().unwrap_or("the agent").escape_debug().to_string();
    match (before, after) {
        (None, Some(after)) => format!("{:>26}{of} shows {component} {after}", ""),
        (Some(before), Some(after)) => format!("{:>26}{of} CHANGED {component}: {before} -> {after}", ""),
        (Some(before), None) => format!("{:>26}{of} no longer shows {component}, which was {before}", ""),
        (None, None) => String::new(),
    }
}
