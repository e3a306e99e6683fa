//! The command lines of `attest wrap` and `attest signer`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::Config;
use crate::launch::{Target, socket_of};
use crate::link::Link;
use crate::wire::{Kind, Welcome};
use crate::{daemon, wrap};

type Failure = Box<dyn std::error::Error>;

/// Signs each tools/call of an agent on its way to one of its servers.
///
/// Put it where the server's own command stood in the host's configuration: everything after `--` is started as the
/// server. All wraps of one agent share one signer, which is started when it is first needed.
#[derive(Debug, clap::Args)]
pub struct WrapArgs {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,

    /// Use the signer that listens here, and never start one (for a signer under another user id)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// The name that the server's guard goes by; every call is made out to it
    #[arg(long, value_name = "NAME")]
    audience: String,

    /// The server's command and its arguments
    #[arg(last = true, required = true, value_name = "SERVER COMMAND")]
    server: Vec<OsString>,
}

/// Runs a wrap; returns the code to exit with.
pub fn wrap(args: WrapArgs) -> Result<u8, Failure> {
    let mut words = args.server.into_iter();
    let program = words.next().ok_or("no server command: write it after --")?;
    let mut server = Command::new(program);
    server.args(words);
    let target = match args.socket {
        Some(socket) => Target::Socket(socket),
        // The signer may be started from another folder than ours.
        None => Target::Config(absolute(&args.config)?),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(wrap::run(target, args.audience, server))?.code())
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    Ok(std::path::absolute(path)?)
}

/// Runs the signer in the foreground; `ready` is told where it listens.
pub fn run_signer(config: &Path, ready: impl FnOnce(&Path)) -> Result<(), Failure> {
    let config = Config::read(&absolute(config)?)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(daemon::run(config, ready))?)
}

/// Asks the signer of this configuration who it is; `None` if none runs.
pub fn signer_status(config: &Path) -> Result<Option<Welcome>, Failure> {
    with_running(config, |link| Box::pin(async move { link.welcome }))
}

/// Ends the signer of this configuration; `None` if none ran.
pub fn stop_signer(config: &Path) -> Result<Option<Welcome>, Failure> {
    with_running(config, |link| {
        Box::pin(async move {
            link.tell(Kind::Stop, bytes::Bytes::new());
            while !link.is_gone() {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            link.welcome
        })
    })
}

fn with_running<T>(
    config: &Path,
    f: impl FnOnce(Link) -> std::pin::Pin<Box<dyn Future<Output = T>>>,
) -> Result<Option<T>, Failure> {
    let socket = socket_of(&Config::read(&absolute(config)?)?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match Link::open(&Target::Socket(socket), None).await {
            Ok(link) => Ok(Some(f(link).await)),
            Err(crate::link::LinkError::Launch(crate::launch::LaunchError::NotThere { .. })) => Ok(None),
            Err(error) => Err(error.into()),
        }
    })
}
