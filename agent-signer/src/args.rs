//! The command lines of `attest wrap` and `attest signer`.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::Config;
use crate::launch::{STARTING, Target, socket_of};
use crate::link::Link;
use crate::wire::{Kind, Welcome};
use crate::{daemon, serve};

type Failure = Box<dyn std::error::Error>;

/// Signs each tools/call of an agent on its way to one of its servers.
///
/// Put it where the server's own entry stood in the host's configuration: everything after `--` is started as the server, or
/// the server is the MCP endpoint at --upstream. With --listen the agent reaches it over HTTP instead of stdio. All wraps of
/// one agent share one signer, which is started when it is first needed.
#[derive(Debug, clap::Args)]
#[allow(rustdoc::bare_urls, reason = "these comments are the command's help")]
pub struct WrapArgs {
    /// What the agent is; also the addresses and headers of its remote servers
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,

    /// Use the signer that listens here, and never start one (for a signer under another user id)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// The name that the server's guard goes by; every call is made out to it
    #[arg(long, value_name = "NAME")]
    audience: String,

    /// The server's MCP endpoint, for example https://example.com/mcp (its headers: [upstream.NAME] in agent.toml)
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    upstream: Option<String>,

    /// Serve the agent over HTTP here, for example 127.0.0.1:8081 (port 0: any free one); only programs of this machine
    #[arg(long, value_name = "ADDRESS", conflicts_with = "server")]
    listen: Option<SocketAddr>,

    /// The server's command and its arguments
    #[arg(last = true, value_name = "SERVER COMMAND")]
    server: Vec<OsString>,
}

/// Runs a wrap; returns the code to exit with. `ready` is told the URL of a wrap that listens.
pub fn wrap(args: WrapArgs, ready: impl FnOnce(&str)) -> Result<u8, Failure> {
    let WrapArgs { config, socket, audience, upstream, listen, server } = args;
    let mut words = server.into_iter();
    let command = words.next().map(|program| {
        let mut command = Command::new(program);
        command.args(words);
        command
    });
    // The signer may be started from another folder than ours.
    let config = absolute(&config)?;
    let remote = match (&command, socket.is_some() && !config.exists()) {
        (None, false) => Config::read(&config)?.upstream.remove(&audience),
        _ => None,
    };
    let target = socket.map_or(Target::Config(config), Target::Socket);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if let Some(command) = command {
        return Ok(runtime.block_on(serve::over_stdio(target, audience, command))?.code());
    }
    let remote = remote.unwrap_or_default();
    let url = upstream.or_else(|| remote.url.clone()).ok_or(
        "no server: write its command after --, its URL with --upstream, or `url` in [upstream.NAME] of agent.toml",
    )?;
    let (upstream, limits) = (remote.connect(&url)?, remote.limits());
    match listen {
        Some(address) => runtime.block_on(serve::over_http(target, audience, address, upstream, limits, ready))?,
        None => return Ok(runtime.block_on(serve::stdio_to_http(target, audience, upstream, limits))?.code()),
    }
    Ok(0)
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

/// Runs the signer in the foreground; `ready` is told where it listens.
///
/// With `view` the agent's files are those that [`run`](crate::run) holds open.
pub fn run_signer(config: &Path, view: Option<PathBuf>, ready: impl FnOnce(&Path)) -> Result<(), Failure> {
    let config = Config { view, ..Config::read(&absolute(config)?)? };
    if config.view.is_some() {
        // Whoever holds the files started this process. With him they are gone, and all that was measured.
        rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(daemon::run(config, ready))?)
}

/// Asks the signer of this configuration who it is; `None` if none runs.
pub fn signer_status(config: &Path) -> Result<Option<Welcome>, Failure> {
    let socket = socket_of(&Config::read(&absolute(config)?)?)?;
    with_running(socket, |link| Box::pin(async move { link.welcome }))
}

/// Ends the signer of this configuration, also one that still measures; `None` if none ran.
pub fn stop_signer(config: &Path) -> Result<Option<Welcome>, Failure> {
    let socket = socket_of(&Config::read(&absolute(config)?)?)?;
    // It listens before it ceases to be starting, so that in this order it is met in one place or the other.
    for place in [socket.with_added_extension(STARTING), socket] {
        let stopped = with_running(place, |link| {
            Box::pin(async move {
                link.tell(Kind::Stop, bytes::Bytes::new());
                while !link.is_gone() {
                    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                }
                link.welcome
            })
        })?;
        if stopped.is_some() {
            return Ok(stopped);
        }
    }
    Ok(None)
}

fn with_running<T>(
    socket: PathBuf,
    f: impl FnOnce(Link) -> std::pin::Pin<Box<dyn Future<Output = T>>>,
) -> Result<Option<T>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match Link::open(&Target::Socket(socket), None).await {
            Ok(link) => Ok(Some(f(link).await)),
            Err(crate::link::LinkError::Launch(crate::launch::LaunchError::NotThere { .. })) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}
