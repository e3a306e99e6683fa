//! `attest hosts install` and `attest hosts remove`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use attest_hosts::{Applied, Found, Known, Outcome, Plan, PlanError, Reach, Way};

use super::Which;
use crate::verbs::log::WRONG;
use crate::{Ending, output};

#[derive(Debug, clap::Args)]
pub(super) struct InstallArgs {
    #[command(flatten)]
    which: Which,
    /// What the agent is: servers are then reached through `attest wrap`, which signs each call
    #[arg(long, value_name = "AGENT.TOML")]
    config: Option<PathBuf>,
    /// What `attest audit` goes by, where there is no --config
    #[arg(long, value_name = "TRAIL.TOML", conflicts_with = "config")]
    trail: Option<PathBuf>,
    /// The name that the guard of the server of --only goes by, if it is not the server's name in the host
    #[arg(long, value_name = "NAME", requires = "only")]
    audience: Option<String>,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
pub(super) struct RemoveArgs {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    how: How,
}

#[derive(Debug, clap::Args)]
struct How {
    /// Only the servers of this name
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Show what would change as a diff, and write nothing; it shows lines of the file, which may hold secrets
    #[arg(long)]
    dry_run: bool,
    /// For machines: JSON, a line per file
    #[arg(long)]
    json: bool,
}

pub(super) fn install(args: InstallArgs) -> Ending {
    let config = args.config.or_else(|| args.trail.clone()).map(std::path::absolute).transpose()?;
    let wrap = config.is_some() && args.trail.is_none();
    let remotes = match &config {
        Some(file) if wrap => {
            agent_signer::Config::read(file)?;
            remotes(file)?
        }
        Some(file) => remotes(file)?,
        None => BTreeMap::new(),
    };
    let way = Way {
        program: std::env::current_exe()?,
        reach: if wrap { Reach::Wrapped } else { Reach::Audited },
        config,
        remotes,
        audience: args.audience,
    };
    let only = args.how.only.as_deref();
    each(&args.which, &args.how, |found| attest_hosts::install(found.host, &found.path, &way, only))
}

pub(super) fn remove(args: &RemoveArgs) -> Ending {
    let only = args.how.only.as_deref();
    each(&args.which, &args.how, |found| attest_hosts::remove(found.host, &found.path, only))
}

/// A file that is refused does not keep the others from being changed.
fn each(which: &Which, how: &How, plan: impl Fn(&Found) -> Result<Plan, PlanError>) -> Ending {
    let (mut code, mut named) = (0, false);
    let files = which.files()?;
    for found in &files {
        let done = plan(found).map_err(Into::into).and_then(|plan| -> Result<(), Box<dyn std::error::Error>> {
            named |= !plan.steps.is_empty();
            let applied = if how.dry_run { None } else { Some(plan.apply()?) };
            show(&plan, applied.as_ref(), how)?;
            code |= u8::from(plan.steps.iter().any(|step| matches!(step.outcome, Outcome::Left(_))));
            Ok(())
        });
        if let Err(error) = done {
            output::failure(&*error);
            code = WRONG;
        }
    }
    match &how.only {
        _ if files.is_empty() => output::remark("no host's configuration is there; name one with --file"),
        Some(only) if !named && code == 0 => return Err(format!("no server is called {only:?}").into()),
        _ => {}
    }
    Ok(code)
}

fn show(plan: &Plan, applied: Option<&Applied>, how: &How) -> Result<(), Box<dyn std::error::Error>> {
    if !how.json {
        if how.dry_run {
            output::text(plan.diff());
        }
        output::plan(plan, applied);
        return Ok(());
    }
    let steps = plan.steps.iter().map(|step| {
        let (outcome, why) = match &step.outcome {
            Outcome::Installed(reach) => (reach.to_string(), None),
            Outcome::Already(reach) => (format!("already {reach}"), None),
            Outcome::Removed { exact } => (if *exact { "removed" } else { "removed, edits kept" }.to_owned(), None),
            Outcome::Left(why) => ("left".to_owned(), Some(why.to_string())),
            _ => ("unknown".to_owned(), None),
        };
        serde_json::json!({ "project": step.project, "name": step.name, "outcome": outcome, "why": why })
    });
    output::json(&serde_json::json!({
        "host": plan.host,
        "file": plan.path,
        "written": applied.is_some() && plan.changes(),
        "diff": how.dry_run.then(|| plan.diff()),
        "servers": steps.collect::<Vec<_>>(),
    }))
}

/// What `[upstream.NAME]` says about remote servers; header fields by name alone, their values are the wrap's to read.
fn remotes(file: &Path) -> Result<BTreeMap<String, Known>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let table: toml::Table = text.parse().map_err(|error| format!("{}: {error}", file.display()))?;
    let servers = table.get("upstream").and_then(toml::Value::as_table);
    let known = |server: &toml::Value| {
        let headers = server.get("headers").and_then(toml::Value::as_table);
        Known {
            url: server.get("url").and_then(toml::Value::as_str).map(str::to_owned),
            headers: headers.into_iter().flat_map(toml::Table::keys).cloned().collect(),
        }
    };
    Ok(servers.into_iter().flatten().map(|(name, server)| (name.clone(), known(server))).collect())
}
