//! `attest policy check`.

use std::path::PathBuf;

use crate::{Ending, output};

/// Exit code 1 where something is wrong, each on a line of its own: file, line, column, what, and what to do
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Files of policies, read as one set
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

pub(crate) fn run(args: &Args) -> Ending {
    let Some(policies) = super::read(&args.files)? else {
        return Ok(1);
    };
    policies.remarks().iter().for_each(output::line);
    if !policies.remarks().is_empty() {
        return Ok(1);
    }
    let needs: std::collections::BTreeSet<String> = policies.needs().map(ToString::to_string).collect();
    let needs = if needs.is_empty() { "nothing".to_owned() } else { needs.into_iter().collect::<Vec<_>>().join(", ") };
    output::line(format!("{} policies, nothing wrong; digest {}", policies.ids().count(), policies.digest()));
    output::line(format!("they can ask a call for: {needs}"));
    Ok(0)
}
