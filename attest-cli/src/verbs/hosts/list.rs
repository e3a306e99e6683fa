//! `attest hosts list`: the configuration files that are there.

use attest_hosts::{PLACES, servers};

use super::Which;
use crate::{Ending, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Ending {
    let files = args.which.files()?;
    if args.json {
        output::json(&files)?;
        return Ok(0);
    }
    for found in &files {
        let count = match servers(found.host, &found.path) {
            Ok(servers) if servers.len() == 1 => "1 server".to_owned(),
            Ok(servers) => format!("{} servers", servers.len()),
            Err(error) => error.to_string(),
        };
        output::line(format!("{:<14}  {}  ({count})", found.host, found.path.display()));
    }
    if files.is_empty() {
        output::remark(format!(
            "no host's configuration is there; {} places were looked at (docs/hosts.md)",
            PLACES.len()
        ));
    }
    Ok(0)
}
