//! `attest hosts`: the servers in the configurations of MCP hosts, and whether they are reached through attest.

mod edit;
mod list;
mod status;

use std::path::PathBuf;

use attest_hosts::{Found, Host, Scope, Surroundings, System, find};

use crate::Ending;

/// Puts attest between hosts (Claude Desktop, Claude Code, Cursor, VS Code, Inspector) and their servers, and says who bypasses it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// The hosts' configuration files that are there
    List(list::Args),
    /// Puts attest before every server: `attest wrap` with --config, else `attest audit`
    Install(edit::InstallArgs),
    /// Takes attest out again; each entry becomes what it was
    Remove(edit::RemoveArgs),
    /// Every server of every host: wrapped, audited, or bypassing attest; exit code 1 if any bypasses
    Status(status::Args),
}

/// Which files.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Which {
    /// Only this host: claude-desktop, claude-code, cursor, vs-code or inspector
    #[arg(long, value_name = "HOST", value_parser = host)]
    host: Option<Host>,
    /// Only this file; may be repeated. Its name says whose it is, or --host does
    #[arg(long, value_name = "FILE")]
    file: Vec<PathBuf>,
}

fn host(name: &str) -> Result<Host, String> {
    let known = || Host::ALL.map(Host::as_str).join(", ");
    Host::parse(name).ok_or_else(|| format!("no such host; there are {}", known()))
}

impl Which {
    /// The files that are meant.
    pub(crate) fn files(&self) -> Result<Vec<Found>, Box<dyn std::error::Error>> {
        if self.file.is_empty() {
            return Ok(find(&surroundings()?, self.host));
        }
        let named = |path: &PathBuf| {
            let host = self.host.or_else(|| Host::of(path));
            let host = host.ok_or_else(|| format!("{}: whose file is it? Say it with --host", path.display()))?;
            Ok(Found { host, scope: Scope::User, path: path.clone() })
        };
        self.file.iter().map(named).collect()
    }
}

fn surroundings() -> Result<Surroundings, Box<dyn std::error::Error>> {
    let system = if cfg!(target_os = "macos") { System::MacOs } else { System::Linux };
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let home = home.ok_or("your home folder is not known; set HOME, or name files with --file")?;
    Ok(Surroundings::new(system, home, std::env::current_dir()?, |name| std::env::var_os(name).map(PathBuf::from)))
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::List(args) => list::run(&args),
        Action::Install(args) => edit::install(args),
        Action::Remove(args) => edit::remove(&args),
        Action::Status(args) => status::run(&args),
    }
}
