//! `attest hosts status`: who is reached through attest, and who is not.

use attest_hosts::{Reach, Server, Transport, servers};
use serde::Serialize;

use super::Which;
use crate::verbs::log::WRONG;
use crate::{Ending, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    which: Which,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

/// A server, for machines.
#[derive(Serialize)]
struct Row<'a> {
    host: &'static str,
    file: &'a std::path::Path,
    line: usize,
    project: Option<&'a str>,
    name: &'a str,
    transport: Transport,
    reach: Reach,
    disabled: bool,
    bypasses: bool,
    why: String,
}

impl<'a> From<&'a Server> for Row<'a> {
    fn from(server: &'a Server) -> Self {
        Self {
            host: server.host.as_str(),
            file: &server.path,
            line: server.line,
            project: server.project.as_deref(),
            name: &server.name,
            transport: server.transport,
            reach: server.reach,
            disabled: server.disabled,
            bypasses: server.bypasses(),
            why: server.why.to_string(),
        }
    }
}

pub(super) fn run(args: &Args) -> Ending {
    let (mut all, mut unread) = (Vec::new(), Vec::new());
    for found in args.which.files()? {
        match servers(found.host, &found.path) {
            Ok(servers) => all.extend(servers),
            // What cannot be read may hold servers.
            Err(error) => unread.push(error.to_string()),
        }
    }
    let bypassing = all.iter().filter(|server| server.bypasses()).count();
    if args.json {
        output::json(&serde_json::json!({
            "servers": all.iter().map(Row::from).collect::<Vec<_>>(),
            "unread": unread,
        }))?;
    } else {
        output::hosts(&all, &unread);
    }
    Ok(if bypassing + unread.len() > 0 { WRONG } else { 0 })
}
