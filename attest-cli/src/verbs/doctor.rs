//! `attest doctor`: what is wrong, and the fix.

use std::path::PathBuf;

use crate::doctor::{Level, Patient, examine};
use crate::verbs::hosts::Which;
use crate::verbs::log::WRONG;
use crate::{Ending, output};

/// Finds what is wrong with an installation and says the fix; exit code 1 if something is.
///
/// Looks at the clock, configurations, keys and their modes, delegations, logs, the signer, remote servers, and the hosts of
/// this machine. Changes nothing.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An agent.toml or guard.toml; may be repeated. Without it those of this folder, where they are
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// A guard or server to reach and to compare clocks with; may be repeated
    #[arg(long, value_name = "URL")]
    upstream: Vec<String>,
    /// Send remote servers a call that a guard refuses and writes down: whether one is there, and whether `_meta` arrives at it
    #[arg(long)]
    probe: bool,
    #[command(flatten)]
    which: Which,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Ending {
    let mut configs = args.config;
    if configs.is_empty() {
        configs.extend(["agent.toml", "guard.toml"].map(PathBuf::from).into_iter().filter(|file| file.exists()));
    }
    let hosts = args.which.files()?;
    let now = attest_log::clock::now();
    let patient = Patient { configs: &configs, upstreams: &args.upstream, hosts: &hosts, probe: args.probe, now };
    let findings = examine(&patient)?;
    if args.json {
        output::json(&findings.0)?;
    } else {
        output::findings(&findings.0);
    }
    Ok(if findings.worst() == Level::Wrong { WRONG } else { 0 })
}
