//! The binary `attest`: one verb, one file in [`verbs`]; [`output`] alone prints.

mod output;
mod verbs;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Which agent, in which state, on whose behalf: proven on every MCP tool call, checked before it runs, written down.
#[derive(Debug, Parser)]
#[command(name = "attest", version, about, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Wrap(agent_signer::args::WrapArgs),
    Guard(server_verifier::args::Args),
    Signer(verbs::signer::Args),
}

/// What a verb ends with: the code to exit with, or why it failed.
type Ending = Result<u8, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // Standard output belongs to the protocol, or to what was asked for.
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let ending = match Cli::parse().verb {
        Verb::Wrap(args) => agent_signer::args::wrap(args),
        Verb::Guard(args) => server_verifier::args::run(args),
        Verb::Signer(args) => verbs::signer::run(args),
    };
    match ending {
        Ok(code) => code.into(),
        Err(error) => {
            output::failure(&*error);
            ExitCode::FAILURE
        }
    }
}
