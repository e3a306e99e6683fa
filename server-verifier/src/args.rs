//! The command line of `attest guard` and of `server-verifier`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::config::Config;

/// Lets in only calls by known agents, in a known state, within what was delegated, and writes each down first.
///
/// Put it where the server's own command stood: everything after `--` is started as the server.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Whom to trust, and where to write the log
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    pub config: PathBuf,

    /// The server's command and its arguments
    #[arg(last = true, required = true, value_name = "SERVER COMMAND")]
    pub server: Vec<OsString>,
}

/// Runs the guard; returns the code to exit with.
pub fn run(args: Args) -> Result<u8, Box<dyn std::error::Error>> {
    let mut words = args.server.into_iter();
    let program = words.next().ok_or("no server command: write it after --")?;
    let mut server = Command::new(program);
    server.args(words);
    let config = Config::read(&args.config)?;
    // One thread for messages, one for the log: a guard serves one connection, and a hop between threads costs more than
    // the checks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(crate::guard::run(config, server))?.code())
}
