//! `attest issue`: one attestation, as a token.

use std::path::PathBuf;

use crate::verbs::measure;
use crate::{Ending, output};

/// Measures an agent and signs one attestation. The signer does this by itself; here it is for looking at, and for tests.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
}

pub(crate) fn run(args: Args) -> Ending {
    let config = measure::config(&args.config)?;
    let state = measure::state(&config)?;
    output::line(agent_signer::attesting::issue(&config, state)?);
    Ok(0)
}
