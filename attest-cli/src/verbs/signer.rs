//! `attest signer`: the process that holds an agent's key.

use std::path::PathBuf;

use crate::{Ending, output};

/// Runs, asks or ends the one signer of an agent. `attest wrap` starts it by itself where it is needed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Runs the signer in the foreground
    Run {
        #[command(flatten)]
        which: Which,
        /// Measure the files that are held open here (`attest run` says so)
        #[arg(long, value_name = "FOLDER", hide = true)]
        view: Option<PathBuf>,
    },
    /// Says whether it runs, and who it is
    Status(Which),
    /// Ends it; the next wrap starts it again, with a new context
    Stop(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::Run { which, view } => {
            agent_signer::args::run_signer(&which.config, view, |_| output::ready(agent_signer::launch::READY))?;
            Ok(0)
        }
        Action::Status(which) => tell(&which, agent_signer::args::signer_status(&which.config)?, "runs"),
        Action::Stop(which) => tell(&which, agent_signer::args::stop_signer(&which.config)?, "ended"),
    }
}

fn tell(which: &Which, signer: Option<agent_signer::wire::Welcome>, what: &str) -> Ending {
    match (&signer, which.json) {
        (_, true) => output::json(&signer)?,
        (Some(s), false) if s.context.is_empty() => {
            output::line(format!("signer of {:?} {what} before it had measured the agent: process {}", s.agent, s.pid));
        }
        (Some(s), false) => {
            output::line(format!("signer of {:?} {what}: process {}, context {}", s.agent, s.pid, s.context));
        }
        (None, false) => output::line("no signer runs for this configuration"),
    }
    Ok(if signer.is_some() { 0 } else { 3 })
}
