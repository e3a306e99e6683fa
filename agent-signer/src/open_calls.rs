//! On whose behalf an agent works whose program does not say so: the guard in front of it is asked which call is open.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attest_core::cause::Told;
use attest_core::json::{self, Value};
use attest_core::limits::MAX_REQUEST;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;

/// How long the guard may take. It answers from memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why it cannot be said on whose behalf a call is made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    /// The guard.
    #[error("the guard in front of this agent cannot be asked at {path}: {source}", path = path.display())]
    Guard {
        /// Its socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Not what a guard answers.
    #[error("what {path} answers is not what a guard says of open calls", path = path.display())]
    Answer {
        /// Its socket.
        path: PathBuf,
    },
    /// More than one.
    #[error(
        "{0} calls to this agent are open, and its program does not say for which of them it works: it has to hand on `io.github.agent-attest/cause`, or to be asked one thing at a time"
    )]
    Several(u64),
}

/// What the guard at `path` says, to be [`read`].
pub(crate) async fn ask(path: &Path) -> Result<Vec<u8>, Unknown> {
    let asked = async {
        let stream = UnixStream::connect(path).await?;
        let mut text = Vec::new();
        stream.take(MAX_REQUEST as u64).read_to_end(&mut text).await?;
        Ok(text)
    };
    let text = tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|late| Err(late.into()));
    text.map_err(|source| Unknown::Guard { path: path.to_owned(), source })
}

/// What this agent is told of the one call that is open; `None` where none is.
pub(crate) fn read<'v>(path: &Path, answer: &'v Value<'_>) -> Result<Option<Told<'v>>, Unknown> {
    let malformed = || Unknown::Answer { path: path.to_owned() };
    let object = answer.as_object().ok_or_else(malformed)?;
    match (object.get("open").and_then(Value::as_u53), object.get("cause")) {
        (Some(0), None) => Ok(None),
        (Some(1), Some(told)) => Told::read(told).map(Some).ok_or_else(malformed),
        (Some(open @ 2..), None) => Err(Unknown::Several(open)),
        _ => Err(malformed()),
    }
}

/// The answer as a value.
pub(crate) fn parse<'t>(path: &Path, text: &'t [u8]) -> Result<Value<'t>, Unknown> {
    json::parse(text).map_err(|_| Unknown::Answer { path: path.to_owned() })
}
