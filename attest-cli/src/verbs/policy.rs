//! `attest policy`: what a guard's policies say, before they are used.

mod check;
mod replay;
mod show_default;
mod test;

use std::path::PathBuf;

use attest_policy::Policies;

use crate::{Ending, output};

/// Policies over calls, in Cedar: checked, tried on cases, and the default set to begin with.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Looks for what is wrong with policies: types, names, rules that can never apply, permits that a forbid takes whole
    Check(check::Args),
    /// Runs the cases of a TOML file: facts, and what should come of them
    Test(test::Args),
    /// Asks policies about the calls of a past log: which would have come out otherwise
    Replay(replay::Args),
    /// The default policies, as a file to copy and change
    ShowDefault(show_default::Args),
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::Check(args) => check::run(&args),
        Action::Test(args) => test::run(&args),
        Action::Replay(args) => replay::run(&args),
        Action::ShowDefault(args) => show_default::run(&args),
    }
}

/// Reads the files; says what is wrong with them, in which case there are none.
fn read(files: &[PathBuf]) -> Result<Option<Policies>, Box<dyn std::error::Error>> {
    let mut texts = Vec::new();
    for file in files {
        texts.push((file.display().to_string(), output::input(file)?));
    }
    let files: Vec<(&str, &str)> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    match Policies::read(&files) {
        Ok(policies) => Ok(Some(policies)),
        Err(problems) => {
            problems.iter().for_each(output::line);
            Ok(None)
        }
    }
}
