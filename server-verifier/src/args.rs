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

/// Sends messages of the program about itself to standard error: standard output belongs to the protocol. `ATTEST_LOG`
/// (error, warn, info, debug) says how many; a wrapped server is to look as without us, so few.
///
/// Nobody may read standard error, and a full pipe must not hold up the calls: a thread of its own writes, and what does not
/// fit its queue is lost. The messages end when what is returned is dropped.
#[must_use]
pub fn messages() -> impl Drop {
    let level = std::env::var("ATTEST_LOG").ok().and_then(|level| level.parse().ok());
    let (writer, guard) = tracing_appender::non_blocking(std::io::stderr());
    tracing_subscriber::fmt()
        .with_writer(writer)
        .with_ansi(false)
        .with_target(false)
        .with_max_level(level.unwrap_or(tracing::Level::WARN))
        .init();
    guard
}
