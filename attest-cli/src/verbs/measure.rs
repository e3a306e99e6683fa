//! `attest measure`: what an agent's state is now.

use std::path::{Path, PathBuf};

use agent_signer::Config;
use agent_signer::state::State;
use attest_core::measurement::Measurement;
use serde::Serialize;

use crate::{Ending, output};

/// Measures an agent: one line per component. Nothing is signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
    /// Print it as reference values to put into a guard.toml
    #[arg(long, conflicts_with = "json")]
    references: bool,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    component: &'static str,
    digest: String,
    grade: &'static str,
}

pub(crate) fn run(args: Args) -> Ending {
    let config = Config::read(&args.config)?;
    let state = state(&config)?;
    if args.references {
        output::text(references(&config.agent, &state.measurements));
    } else if args.json {
        let row = |m: &Measurement| Row {
            component: m.component.as_str(),
            digest: m.digest.to_b64(),
            grade: m.grade.as_str(),
        };
        output::json(&state.measurements.iter().map(row).collect::<Vec<_>>())?;
    } else {
        for m in &state.measurements {
            output::line(format!("{:<14} {}  {}", m.component.as_str(), m.digest, m.grade));
        }
    }
    Ok(0)
}

/// Measures with a progress bar where somebody watches.
pub(crate) fn state(config: &Config) -> Result<State, Box<dyn std::error::Error>> {
    let bar = output::Bar::new();
    let state = State::measure(config, &|component, progress| {
        bar.show(component.as_str(), progress.done, progress.total);
    });
    bar.clear();
    Ok(state?)
}

/// Reference values in the form of `guard.toml`.
pub(crate) fn references(agent: &str, measurements: &[Measurement]) -> String {
    let mut out = format!("[agents.{}]\n", toml::Value::from(agent));
    for m in measurements {
        out.push_str(&format!("{} = {{ digests = [\"{}\"], grade = \"{}\" }}\n", m.component, m.digest, m.grade));
    }
    out
}

/// The configuration at `path`, with its place made absolute.
pub(crate) fn config(path: &Path) -> Result<Config, Box<dyn std::error::Error>> {
    Ok(Config::read(&std::path::absolute(path)?)?)
}
