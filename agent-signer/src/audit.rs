//! `attest audit`: the trail alone, in front of any server, for a host whose agent is not attested.

use std::ffi::OsString;
use std::fs::{DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use attest_core::digest::Digest;
use attest_log::{Log, LogKey, LogKeyError, OpenError};
use attest_trail::{Audit, How, Session, Table, Writing};
use mcp_relay::http::PeerKey;
use mcp_relay::http::bridge::OwnWords;
use mcp_relay::stdio::{self, Client};
use rustix::fs::{FlockOperation, flock};
use serde::Deserialize;

use crate::config::Remote;
use crate::folders;
use crate::serve::bridged;

type Failure = Box<dyn std::error::Error>;

/// Writes down what passes between a host and one of its servers: tools, calls, answers, requests, and what looks wrong.
///
/// Put it where the server's own entry stood in the host's configuration. Nothing is signed and the server need not know; the
/// log proves itself like any other (`attest log verify`). Where it cannot be written, no call passes.
#[derive(Debug, clap::Args)]
#[allow(rustdoc::bare_urls, reason = "these comments are the command's help")]
pub struct AuditArgs {
    /// What the server is called in the log; else the last part of its command or URL
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// What is kept, which rules raise alerts, who is told, and headers of remote servers
    #[arg(long, value_name = "FILE", env = "ATTEST_TRAIL_CONFIG")]
    config: Option<PathBuf>,

    /// The folder of logs [default: attest/audit in the user's state folder]
    #[arg(long, value_name = "FOLDER", env = "ATTEST_TRAIL_FOLDER")]
    folder: Option<PathBuf>,

    /// The server's MCP endpoint, for example https://example.com/mcp (its headers: [upstream.NAME] in the file)
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    upstream: Option<String>,

    /// The server's command and its arguments
    #[arg(last = true, value_name = "SERVER COMMAND")]
    server: Vec<OsString>,
}

/// `trail.toml`: the trail, and the way to remote servers.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    strict: bool,
    trail: Table,
    upstream: std::collections::BTreeMap<String, Remote>,
}

/// Most logs of one server: of hosts that run it more than once at the same time.
const MOST_LOGS: usize = 16;

/// Runs it; returns the code to exit with.
pub fn audit(args: AuditArgs) -> Result<u8, Failure> {
    let AuditArgs { name, config, folder, upstream, server } = args;
    let mut file = config.as_deref().map(read).transpose()?.unwrap_or_default();
    let from = upstream.as_deref().map(str::to_owned).or_else(|| server.first()?.to_str().map(str::to_owned));
    let name = name.or_else(|| from.as_deref().map(short)).ok_or(
        "no server: write its command after --, or its URL with --upstream; with a command that is not UTF-8 also --name",
    )?;
    if !attest_core::claims::is_name(&name) {
        return Err(format!("{name:?} names no server: 1 to 256 bytes without control characters; set --name").into());
    }
    let folder = match folder {
        Some(folder) => folder,
        None => state_folder()?,
    };
    let remote = file.upstream.remove(&name).unwrap_or_default();
    let url = upstream.or_else(|| remote.url.clone().filter(|_| server.is_empty()));
    let how = match &url {
        Some(url) => How::url(url),
        None => How::command(&server),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        attest_trail::check(&file.trail)?;
        let log = Arc::new(open(&folder, &stem(&name))?);
        let writing = Writing { strict: file.strict, alone: true, ..Writing::default() };
        let recorder = Arc::new(attest_trail::open(&log, &file.trail, writing)?);
        let session = Arc::new(Session::begin(recorder.clone(), &name, Some(&how)).await?);
        let exit = match url {
            Some(url) => remote_server(session, &remote, &url).await,
            None => local_server(session, server).await,
        };
        recorder.close().await;
        if let Err(reason) = log.close() {
            tracing::error!("the trail did not close in order: {reason}");
        }
        exit
    })
}

async fn local_server(session: Arc<Session>, server: Vec<OsString>) -> Result<u8, Failure> {
    let mut words = server.into_iter();
    let mut command = Command::new(words.next().ok_or("no server: write its command after --")?);
    command.args(words);
    let client = Client::stdio().map_err(stdio::RelayError::Setup)?;
    Ok(stdio::run(command, client, Audit::new(session, PeerKey::default()), stdio::Options::default()).await?.code())
}

async fn remote_server(session: Arc<Session>, remote: &Remote, url: &str) -> Result<u8, Failure> {
    let (upstream, limits) = (remote.connect(url)?, remote.limits());
    let audit = Audit::new(session, upstream.peer_key());
    Ok(bridged(upstream, limits, OwnWords::default(), audit).await?.code())
}

fn read(path: &Path) -> Result<File, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut file: File = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    file.trail = file.trail.within(folder);
    file.upstream = file.upstream.into_iter().map(|(name, remote)| (name, remote.within(folder))).collect();
    Ok(file)
}

/// The last part of a path or URL.
fn short(text: &str) -> String {
    let path = text.split(['?', '#']).next().unwrap_or(text).trim_end_matches('/');
    path.rsplit('/').next().unwrap_or(path).to_owned()
}

/// A name of files, and part of a log's name, for a server's name: itself where that is one.
fn stem(name: &str) -> String {
    let fit = |c: char| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c);
    if name.len() <= 64 && name.chars().all(fit) && !name.starts_with('.') {
        return name.to_owned();
    }
    let plain: String = name.chars().take(48).map(|c| if fit(c) { c } else { '-' }).collect();
    // So that two names never share a log.
    let digest = Digest::of(name).to_b64();
    format!("{}-{}", plain.trim_start_matches('.'), digest.get(..8).unwrap_or_default())
}

fn state_folder() -> Result<PathBuf, Failure> {
    let state = folders::of_user("XDG_STATE_HOME", ".local/state");
    Ok(state.ok_or("neither XDG_STATE_HOME nor HOME is set; say --folder")?.join("attest/audit"))
}

/// The first log of this server that nobody writes.
fn open(folder: &Path, name: &str) -> Result<Log, Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error: io::Error| format!("{}: {error}", folder.display()))?;
    // Of hosts that start at the same moment, one makes the key.
    let lock = folder.join("lock");
    let of_lock = |error: io::Error| format!("{}: {error}", lock.display());
    let opened_lock = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&lock);
    let held = opened_lock.map_err(of_lock)?;
    flock(&held, FlockOperation::LockExclusive).map_err(|error| of_lock(error.into()))?;
    for number in 1..=MOST_LOGS {
        let stem = if number == 1 { name.to_owned() } else { format!("{name}-{number}") };
        let path = folder.join(format!("{stem}.db"));
        match opened(&path, &stem) {
            Err(Opening::Log(OpenError::InUse { .. })) => {}
            opened => return Ok(opened?),
        }
    }
    Err(format!("{MOST_LOGS} logs of {name:?} in {} are being written already", folder.display()).into())
}

#[derive(Debug, thiserror::Error)]
enum Opening {
    #[error(transparent)]
    Key(#[from] LogKeyError),
    #[error(transparent)]
    Log(#[from] OpenError),
}

fn opened(path: &Path, stem: &str) -> Result<Log, Opening> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let key = LogKey::of_log(path, None, &format!("{host}/audit/{stem}"))?;
    Ok(Log::open(path, key, attest_log::Options::default())?.0)
}
