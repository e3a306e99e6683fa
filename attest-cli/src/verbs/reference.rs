//! `attest reference`: the accepted states of a guard.toml.

mod add;
mod list;

use crate::Ending;

/// The states that a guard accepts: adds one that was seen, with who accepts it and why, or lists them.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Adds a state that was seen to an agent's reference values
    Add(add::Args),
    /// Every reference value, with who accepted it where that is written down
    List(list::Args),
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::Add(args) => add::run(&args),
        Action::List(args) => list::run(&args),
    }
}
