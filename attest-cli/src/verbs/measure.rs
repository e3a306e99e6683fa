//! `attest measure`: what an agent's state is now.

use std::path::{Path, PathBuf};

use agent_signer::Config;
use agent_signer::state::State;
use attest_core::measurement::Measurement;
use attest_keys::P256Key;
use attest_measure::oms::{Draft, PublisherKey};
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
    /// Print it as reference values to put into a guard.toml
    #[arg(long, conflicts_with = "json")]
    references: bool,
    /// Write the manifest of the model's files, for the endorsed entry of a guard.toml
    #[arg(long, value_name = "FILE")]
    weights_manifest_out: Option<PathBuf>,
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
    let config = Config::read(&args.config)?;
    let publish = Publish::new(&args, &config)?;
    let state = state(&config)?;
    publish.write(&config, &state)?;
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

/// The files to write about the model, and the key to sign with. What is wrong with either is said before hours of hashing.
struct Publish {
    manifest: Option<PathBuf>,
    bundle: Option<(PathBuf, P256Key, PublisherKey)>,
}

impl Publish {
    fn new(args: &Args, config: &Config) -> Result<Self, Failure> {
        let Args { weights_manifest_out: manifest, oms_out, oms_key, .. } = args;
        let weights = config.measure.weights();
        for path in manifest.iter().chain(oms_out) {
            if weights.paths().is_empty() {
                return Err("the agent has no weights: name them in its configuration, under [measure]".into());
            }
            if path.symlink_metadata().is_ok() {
                return Err(format!("{} exists and is not overwritten; choose another name", path.display()).into());
            }
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
        Ok(Self { manifest: manifest.clone(), bundle: bundle.transpose()? })
    }

    fn write(self, config: &Config, state: &State) -> Result<(), Failure> {
        let Some(manifest) = &state.weights else {
            return Ok(());
        };
        if let Some(path) = self.manifest {
            write_new(&path, &String::from_utf8(manifest.canonical())?)?;
        }
        if let Some((path, key, public)) = self.bundle {
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
