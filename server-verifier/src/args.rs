//! The command line of `attest guard` and of `server-verifier`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Resource, getrlimit, setrlimit};

use crate::config::Config;
use crate::serve::{self, Behind};
use crate::shared;

/// Lets in only calls by known agents, in a known state, within what was delegated, and writes each down first.
///
/// Over stdio, put it where the server's own command stood: everything after `--` is started as the server. With --listen it
/// is an HTTP server, in front of the MCP endpoint at --upstream, or of the command after `--`.
#[derive(Debug, clap::Args)]
#[allow(rustdoc::bare_urls, reason = "these comments are the command's help")]
pub struct Args {
    /// Whom to trust, and where to write the log
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    pub config: PathBuf,

    /// Serve MCP's Streamable HTTP here, for example 127.0.0.1:8080 (port 0: any free one)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,

    /// The MCP endpoint behind, for example http://127.0.0.1:3000/mcp
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    pub upstream: Option<String>,

    /// Show what is counted here, for Prometheus, for example 127.0.0.1:9464
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,

    /// The server's command and its arguments
    #[arg(last = true, value_name = "SERVER COMMAND")]
    pub server: Vec<OsString>,
}

/// Runs the guard; returns the code to exit with. `ready` is told the URL of a guard that listens.
pub fn run(args: Args, ready: impl FnOnce(&str)) -> Result<u8, Box<dyn std::error::Error>> {
    shared::bring(&args.config);
    let mut config = Config::read(&args.config)?;
    config.metrics.listen = args.metrics.or(config.metrics.listen);
    let command = Some(args.server).filter(|words| !words.is_empty());
    let upstream = args.upstream.or_else(|| config.http.upstream.clone());
    // Without an address, a command is served to the client that started us.
    let listen = args.listen.or(config.http.listen.filter(|_| command.is_none() || args.listen.is_some()));
    let behind = match (command, upstream, listen) {
        (Some(command), _, None) => return over_stdio(config, command),
        (Some(command), _, Some(_)) => Behind::Command(command),
        (None, Some(url), _) => Behind::Url(url),
        (None, None, _) => {
            return Err("no server to guard: write its command after --, or its URL with --upstream".into());
        }
    };
    let address =
        listen.ok_or("nowhere to listen: write --listen 127.0.0.1:8080, or `listen` in [http] of guard.toml")?;
    raise_descriptor_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(serve::over_http(config, address, behind, ready))?;
    Ok(0)
}

fn over_stdio(config: Config, words: Vec<OsString>) -> Result<u8, Box<dyn std::error::Error>> {
    let mut words = words.into_iter();
    let mut server = Command::new(words.next().unwrap_or_default());
    server.args(words);
    // One thread for messages, one for the log: a guard over stdio serves one connection, and a hop between threads costs
    // more than the checks.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(serve::over_stdio(config, server))?.code())
}

/// Allows as many descriptors as the system lets us have: each connection takes one, and the usual 1,024 are soon gone.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!("the number of open descriptors cannot be raised: {error}");
    }
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
