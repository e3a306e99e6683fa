//! `attest measure`: what an agent's state is now.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use agent_signer::Config;
use agent_signer::state::State;
use attest_core::measurement::Measurement;
use attest_keys::P256Key;
use attest_measure::oms::{Draft, PublisherKey};
use attest_measure::{Document, Lists};
use serde::Serialize;

use super::delegate::write_new;
use crate::{Ending, output};

type Failure = Box<dyn std::error::Error>;

/// Measures an agent: one line per component. Nothing is signed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
    /// Measure the tensors in the weights' files too, whatever the file says: half the rate
    #[arg(long)]
    tensors: bool,
    /// Write what was measured, file by file and tensor by tensor: for `attest diff`, and for the endorsed entry of a guard.toml
    #[arg(long, value_name = "FILE")]
    manifest_out: Option<PathBuf>,
    /// Hash every file, also those that nobody touched since the last time
    #[arg(long)]
    no_cache: bool,
    /// Print it as reference values to put into a guard.toml
    #[arg(long, conflicts_with = "json")]
    references: bool,
    /// Sign the model's files as their publisher: write a bundle of OpenSSF Model Signing, outside what is measured
    #[arg(long, value_name = "FILE", requires = "oms_key")]
    oms_out: Option<PathBuf>,
    /// The publisher's P-256 private key, in PEM
    #[arg(long, value_name = "FILE", requires = "oms_out")]
    oms_key: Option<PathBuf>,
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
    config.measure.cache &= !args.no_cache;
    config.measure.check(&args.config)?;
    let publish = Publish::new(&args, &config)?;
    let (state, lists) = state_with_lists(&config)?;
    publish.write(&config, &lists)?;
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

/// The bundle to write about the model, and the key to sign with. What is wrong with either is said before hours of hashing.
struct Publish(Option<(PathBuf, P256Key, PublisherKey)>);

impl Publish {
    fn new(args: &Args, config: &Config) -> Result<Self, Failure> {
        let Args { manifest_out, oms_out, oms_key, .. } = args;
        let weights = config.measure.weights();
        if oms_out.is_some() && weights.paths().is_empty() {
            return Err("the agent has no weights: name them in its configuration, under [measure]".into());
        }
        if let Some(path) = oms_out.as_ref().filter(|path| path.symlink_metadata().is_ok()) {
            return Err(format!("{} exists and is not overwritten; choose another name", path.display()).into());
        }
        for path in manifest_out.iter().chain(oms_out) {
            // Written there it would be a change of the very files that it is about.
            if weights.holds(path) {
                let path = path.display();
                return Err(format!(
                    "{path} would be one of the measured files; write it elsewhere, or name it in weights_except"
                )
                .into());
            }
        }
        let bundle = oms_out.clone().zip(oms_key.as_deref()).map(|(out, key)| {
            let key = P256Key::read(key)?;
            let public = PublisherKey::from_pem(&key.public_pem()?)?;
            Ok::<_, Failure>((out, key, public))
        });
        Ok(Self(bundle.transpose()?))
    }

    fn write(self, config: &Config, lists: &Lists) -> Result<(), Failure> {
        if let (Some((path, key, public)), Some(manifest)) = (self.0, &lists.weights) {
            let draft = Draft::new(&config.measure.weights(), manifest)?;
            let bundle =
                draft.bundle(&key.sign(&draft.to_sign()), &public).ok_or("the key made no signature of its own")?;
            write_new(&path, &String::from_utf8(bundle)?)?;
        }
        Ok(())
    }
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
