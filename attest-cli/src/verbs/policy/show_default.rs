//! `attest policy show-default`.

use crate::{Ending, output};

/// Prints the default policies; with a flag, what stands beside them
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(crate) struct Args {
    /// The default rules of risk
    #[arg(long)]
    risk: bool,
    /// The schema: all that a policy can speak of
    #[arg(long)]
    schema: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    output::text(match args {
        Args { risk: true, .. } => attest_policy::risk::DEFAULT,
        Args { schema: true, .. } => attest_policy::SCHEMA,
        _ => attest_policy::DEFAULT,
    });
    Ok(0)
}
