//! Finding the agent's signer, and starting it where there is none.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use attest_core::digest::Digest;
use rustix::fs::{FlockOperation, flock};
use tokio::net::UnixStream;

use crate::config::{Config, ConfigError};

/// Where a wrap's signer is.
#[derive(Clone, Debug)]
pub enum Target {
    /// The signer of this `agent.toml`; started if it does not run.
    Config(PathBuf),
    /// Whatever listens here; never started. For a signer under another user id.
    Socket(PathBuf),
}

/// Why there is no signer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaunchError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The place where sockets live is not ours alone.
    #[error("{path} is not a folder that belongs to this user alone; remove it, or set `socket` in agent.toml", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing listens.
    #[error("no signer listens at {path}: {source}; start it with `attest signer run`", path = path.display())]
    NotThere {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// What listens runs under a user id that it should not.
    #[error("the signer at {path} runs as user {uid}, which is neither this user nor root; do not use it", path = path.display())]
    Stranger {
        /// The socket.
        path: PathBuf,
        /// Its user id.
        uid: u32,
    },
    /// The signer did not start.
    #[error("the signer did not start: {0}")]
    Start(String),
    /// Something of the system's failed.
    #[error("cannot start the signer: {path}: {source}", path = path.display())]
    Io {
        /// What it was about.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Where the signer of this configuration listens.
pub fn socket_of(config: &Config) -> Result<PathBuf, LaunchError> {
    if let Some(socket) = &config.socket {
        // The log would be emptied with the messages of the signer before.
        if [LOCK, MESSAGES, STARTING].iter().any(|ending| socket.with_added_extension(ending) == config.log) {
            return Err(LaunchError::Start(
                "`log` and `socket` in agent.toml want the same file; rename one".to_owned(),
            ));
        }
        return Ok(socket.clone());
    }
    let io = |source| LaunchError::Io { path: config.path.clone(), source };
    let absolute = config.path.canonicalize().map_err(io)?;
    let name = Digest::of(absolute.as_os_str().as_encoded_bytes()).to_b64();
    // Socket paths are short (108 bytes), so the configuration's path is hashed; 20 characters are 120 bits.
    let name = format!("{}.sock", name.get(..20).unwrap_or(&name));
    Ok(runtime_folder()?.join(name))
}

/// A folder that only we can enter: the session's, or one of our own in `/tmp`.
fn runtime_folder() -> Result<PathBuf, LaunchError> {
    let uid = rustix::process::geteuid().as_raw();
    let base = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|p| p.is_absolute() && p.is_dir());
    let folder = match base {
        Some(base) => base.join("attest"),
        None => PathBuf::from(format!("/tmp/attest-{uid}")),
    };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(source) => return Err(LaunchError::Io { path: folder, source }),
    }
    // Anybody can make a folder of this name in /tmp before us.
    let meta = folder.symlink_metadata().map_err(|source| LaunchError::Io { path: folder.clone(), source })?;
    if !meta.is_dir() || meta.uid() != uid || meta.mode() & 0o077 != 0 {
        return Err(LaunchError::Folder { path: folder });
    }
    Ok(folder)
}

/// Connects, starting the signer where that is allowed and needed.
pub async fn connect(target: &Target) -> Result<UnixStream, LaunchError> {
    match target {
        Target::Socket(path) => open(path).await,
        Target::Config(file) => {
            let config = Config::read(file)?;
            let socket = socket_of(&config)?;
            match open(&socket).await {
                Err(LaunchError::NotThere { .. }) => {}
                found => return found,
            }
            let (file, at) = (file.clone(), socket.clone());
            let started = tokio::task::spawn_blocking(move || start(&file, &at, None)).await;
            started.map_err(|e| LaunchError::Start(e.to_string()))??;
            open(&socket).await
        }
    }
}

async fn open(path: &Path) -> Result<UnixStream, LaunchError> {
    let not_there = |source| LaunchError::NotThere { path: path.to_owned(), source };
    let stream = UnixStream::connect(path).await.map_err(not_there)?;
    let uid = stream.peer_cred().map_err(not_there)?.uid();
    // Who listens there gets to see every call. Where the operator names the socket, its folder's owner vouches for it.
    let owner = path.parent().and_then(|folder| folder.metadata().ok()).map(|meta| meta.uid());
    if uid != rustix::process::geteuid().as_raw() && uid != 0 && Some(uid) != owner {
        return Err(LaunchError::Stranger { path: path.to_owned(), uid });
    }
    Ok(stream)
}

/// Starts the signer in the background and waits until it listens. Of many wraps that come at once, one starts it. With `view`
/// it measures the files that are held open there, so that no other will do.
pub(crate) fn start(config: &Path, socket: &Path, view: Option<&Path>) -> Result<(), LaunchError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| LaunchError::Io { path, source }
    };
    let lock_path = socket.with_added_extension(LOCK);
    let lock = private_file(&lock_path).map_err(io(&lock_path))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(|e| io(&lock_path)(e.into()))?;
    if std::os::unix::net::UnixStream::connect(socket).is_ok() {
        let other = "one runs already, and has measured the files on disk; `attest signer stop` ends it";
        return if view.is_some() { Err(LaunchError::Start(other.to_owned())) } else { Ok(()) };
    }
    let messages_path = socket.with_added_extension(MESSAGES);
    let messages = private_file(&messages_path).map_err(io(&messages_path))?;
    messages.set_len(0).map_err(io(&messages_path))?;
    let program = std::env::current_exe().map_err(io(config))?;
    let mut signer = Command::new(&program);
    signer.args(["signer", "run", "--config"]).arg(config);
    if let Some(view) = view {
        signer.arg("--view").arg(view);
    }
    let mut signer = signer
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(messages)
        // A signal from the terminal is for the agent, not for the signer that other agents' wraps use too.
        .process_group(0)
        .spawn()
        .map_err(io(&program))?;
    // The signer says one line when it listens, and closes its standard output.
    let mut word = String::new();
    if let Some(mut out) = signer.stdout.take() {
        out.read_to_string(&mut word).map_err(io(&program))?;
    }
    if word.trim() == READY {
        return Ok(());
    }
    let said = std::fs::read_to_string(&messages_path).unwrap_or_default();
    Err(LaunchError::Start(if said.trim().is_empty() { "it said nothing".to_owned() } else { said.trim().to_owned() }))
}

/// Endings of the files beside the socket: the lock of those who start the signer, what it says, and where it can be ended before it listens.
const LOCK: &str = "lock";
const MESSAGES: &str = "messages";
pub(crate) const STARTING: &str = "starting";

/// What a signer says on its standard output when it listens.
pub const READY: &str = "attest signer ready";

/// A file of our own beside the socket: no link to somewhere else, and nobody else's.
fn private_file(path: &Path) -> io::Result<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true).mode(0o600).custom_flags(flags);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() || meta.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("is not a file of this user's own; remove it, or set another `socket`"));
    }
    Ok(file)
}
