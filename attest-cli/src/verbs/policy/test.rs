//! `attest policy test`.

use std::path::PathBuf;

use attest_policy::cases;

use crate::{Ending, output};

/// Exit code 1 where a case comes out otherwise than it should
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cases, as TOML
    #[arg(value_name = "CASES")]
    cases: PathBuf,
    /// Files of policies, read as one set
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    policy: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Ending {
    let text = output::input(&args.cases)?;
    let cases = cases::parse(&text).map_err(|error| format!("{}: {error}", args.cases.display()))?;
    let Some(policies) = super::read(&args.policy)? else {
        return Ok(1);
    };
    let mut wrong = 0;
    for case in &cases {
        if let Err(came) = case.run(&policies) {
            wrong += 1;
            output::line(format!("WRONG  {}: {came}", case.name.escape_debug()));
        }
    }
    output::line(format!("{} cases, {wrong} wrong", cases.len()));
    Ok(u8::from(wrong > 0))
}
