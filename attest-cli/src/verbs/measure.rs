//! `attest measure`: what an agent's state is now.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use agent_signer::Config;
use agent_signer::state::State;
use attest_core::measurement::Measurement;
use attest_measure::{Document, Lists};
use serde::Serialize;

use crate::{Ending, output};

/// Measures an agent: one line per component. Nothing is signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
    /// Measure the tensors in the weights' files too, whatever the file says: half the rate
    #[arg(long)]
    tensors: bool,
    /// Write what was measured, file by file and tensor by tensor, for `attest diff`
    #[arg(long, value_name = "FILE")]
    manifest_out: Option<PathBuf>,
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
    let mut config = Config::read(&args.config)?;
    config.measure.tensors |= args.tensors;
    config.measure.check(&args.config)?;
    let (state, lists) = state_with_lists(&config)?;
    if let Some(path) = &args.manifest_out {
        let document = Document { agent: config.agent.clone(), measurements: state.measurements.clone(), lists };
        write(path, &document.to_json()).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
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
    Ok(state_with_lists(config)?.0)
}

fn state_with_lists(config: &Config) -> Result<(State, Lists), Box<dyn std::error::Error>> {
    let bar = output::Bar::new();
    let state = State::measure_with_lists(config, &|component, progress| {
        bar.show(component.as_str(), progress.done, progress.total);
    });
    bar.clear();
    Ok(state?)
}

/// In one step, so that nobody reads half a manifest. Only its owner can read it: it names every file of the agent.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".attest-").tempfile_in(folder)?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist(path).map(drop).map_err(|error| error.error)
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
