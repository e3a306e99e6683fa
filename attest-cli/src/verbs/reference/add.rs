//! `attest reference add`: a state that was seen becomes an accepted one.

use std::path::PathBuf;

use attest_core::attestation::Attestation;
use attest_core::jws::Unverified;
use attest_core::measurement::{Component, Measurement};
use attest_log::clock::now_ms;
use attest_measure::Document;
use server_verifier::Config;
use server_verifier::config::{Acceptance, accept};

use crate::verbs::moment;
use crate::{Ending, output};

/// Adds the digest of a component to those that the guard accepts of an agent, and writes into guard.toml who accepted it and why.
///
/// A running guard takes it up by itself and writes it into its log, as one does that starts. Nothing is written where the guard would not start.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose file
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    config: PathBuf,
    /// The agent
    #[arg(long, value_name = "NAME")]
    agent: String,
    /// Of which component: config, harness, model-ref, model-tensors, model-weights, signer, system-prompt or tool-manifest
    #[arg(long, value_name = "NAME", value_parser = component)]
    component: Component,
    /// Who accepts it
    #[arg(long, value_name = "PERSON")]
    by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    seen: Seen,
    /// With --from: which entry, one that lets a call through or that a signer wrote of its call
    #[arg(long, value_name = "N", requires = "from")]
    entry: Option<u64>,
}

/// Where the state was seen.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Seen {
    /// As measured on the agent's machine: `attest measure --manifest-out`. Nobody signed it
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// As attested: `attest issue`. It has to be by an attester of the configuration; its time does not matter
    #[arg(long, value_name = "FILE")]
    attestation: Option<PathBuf>,
    /// As attested with a call in a log: the server's, or the caller's, which has refused calls too
    #[arg(long, value_name = "LOG", requires = "entry")]
    from: Option<PathBuf>,
}

fn component(name: &str) -> Result<Component, String> {
    let known = || Component::ALL.iter().map(|c| c.as_str()).collect::<Vec<_>>().join(", ");
    Component::parse(name).ok_or_else(|| format!("no such component; there are {}", known()))
}

pub(crate) fn run(args: &Args) -> Ending {
    let measured = seen(args)?;
    let accepted = Acceptance {
        agent: args.agent.clone(),
        component: args.component,
        digest: measured.digest,
        by: args.by.clone(),
        reason: args.reason.clone(),
        // The file holds whole seconds.
        time: now_ms() / 1_000 * 1_000,
    };
    accept(&args.config, &accepted, measured.grade)?;
    let Measurement { component, digest, grade } = measured;
    output::line(format!("{component} {digest} (seen {grade}) of {} is accepted", args.agent.escape_debug()));
    output::remark("a guard that runs with this file takes it up by itself");
    Ok(0)
}

fn seen(args: &Args) -> Result<Measurement, Box<dyn std::error::Error>> {
    let Seen { manifest, attestation, from } = &args.seen;
    let (what, agent, measurements) = match (manifest, attestation, from) {
        (Some(path), ..) => {
            let document = Document::read(path)?;
            (path.display().to_string(), document.agent, document.measurements)
        }
        (_, Some(path), _) => {
            let text = output::input(path)?;
            attested(args, path.display().to_string(), text.trim())?
        }
        (_, _, Some(log)) => {
            let index = args.entry.unwrap_or_default();
            let text = moment::attestation(log, index)?;
            attested(args, format!("entry {index} of {}", log.display()), &text)?
        }
        _ => return Err("say where the state was seen: --manifest, --attestation or --from".into()),
    };
    if agent != args.agent {
        return Err(format!("{what} is of the agent {agent:?}, not of {:?}", args.agent).into());
    }
    let found = measurements.into_iter().find(|m| m.component == args.component);
    Ok(found.ok_or_else(|| format!("{what} does not show {}", args.component))?)
}

type Shown = (String, String, Vec<Measurement>);

/// What an attestation by an attester of the configuration says. That it is of now, or of an accepted state, is not asked.
fn attested(args: &Args, what: String, text: &str) -> Result<Shown, Box<dyn std::error::Error>> {
    let trust = Config::read(&args.config)?.trust;
    let token = Unverified::<Attestation>::read(text).map_err(|error| format!("{what} is no attestation: {error}"))?;
    let unknown = || format!("{what} is not by an attester that {} lists for this agent", args.config.display());
    let attester = trust.attester(token.kid()).ok_or_else(unknown)?;
    let attestation = token.verify(&attester.key).map_err(|_| format!("{what}: the signature does not verify"))?;
    if attestation.issuer != attester.issuer || !attester.agents.contains(&attestation.agent) {
        return Err(unknown().into());
    }
    Ok((what, attestation.agent.clone(), attestation.measurements.clone()))
}
