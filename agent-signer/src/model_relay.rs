//! `attest model-relay`: between the agent and the API of its model.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use mcp_relay::http::{HostName, Listener, Upstream, told_to_stop};
use mcp_relay::stdio::{self, Sighup};
use model_relay::{Relay, limits};
use tokio::sync::oneshot;

use crate::config::Config;
use crate::launch::Target;
use crate::teller::Teller;

type Failure = Box<dyn std::error::Error>;

/// Measures what an agent sends to its model: system prompt, model and settings, each turn, before the model sees them.
///
/// Point the agent's API client at it, or have it start the agent: everything after `--` is run with OPENAI_BASE_URL and
/// ANTHROPIC_BASE_URL set, and its exit code is ours. Which components are taken from turns says `measure.turns` of
/// agent.toml; from then on a tool call is made with those of the last turn.
#[derive(Debug, clap::Args)]
#[allow(rustdoc::bare_urls, reason = "these comments are the command's help")]
pub struct ModelRelayArgs {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,

    /// Use the signer that listens here, and never start one (for a signer under another user id)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,

    /// Where to listen (port 0: any free one); only programs of this machine
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// The API, for example https://api.openai.com/v1 or https://api.anthropic.com; paths go on as they come
    #[arg(long, value_name = "URL")]
    upstream: String,

    /// Who serves the model, for `model-ref` [default: the host in --upstream]
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,

    /// Let requests to this path pass without a look at them, for example /v1/embeddings; it must not generate text
    #[arg(long, value_name = "PATH")]
    allow: Vec<String>,

    /// The agent's command and its arguments
    #[arg(last = true, value_name = "AGENT COMMAND")]
    command: Vec<OsString>,
}

/// Runs it; returns the code to exit with. `ready` is told its URL.
pub fn run(args: ModelRelayArgs, ready: impl FnOnce(&str)) -> Result<u8, Failure> {
    let ModelRelayArgs { config, socket, listen, upstream, provider, allow, command } = args;
    if !listen.ip().is_loopback() {
        let why = "is reachable from other machines, and whoever reaches a model relay says what this agent is";
        return Err(format!("{listen} {why}; listen on 127.0.0.1 or [::1]").into());
    }
    if let Some(path) = allow.iter().find(|path| !path.starts_with('/')) {
        return Err(format!("--allow {path}: a path begins with /, for example /v1/embeddings").into());
    }
    let config = std::path::absolute(&config)?;
    // A signer under another user id may have a configuration that we cannot read.
    if (socket.is_none() || config.exists()) && Config::read(&config)?.measure.turns.is_empty() {
        let what = "[measure] takes nothing from what is sent to the model";
        let add = r#"turns = ["system-prompt", "model-ref", "config"]"#;
        return Err(format!("{}: {what}; add {add}, or some of them", config.display()).into());
    }
    let api = Upstream::new(&upstream, HostName::Servers, None).map_err(|error| format!("--upstream: {error}"))?;
    if api.uri().query().is_some() {
        return Err(format!("--upstream {upstream}: what stands after ? is the agent's to send; leave it out").into());
    }
    let provider = provider.or_else(|| api.uri().host().map(str::to_owned)).unwrap_or_default();
    let target = socket.map_or(Target::Config(config), Target::Socket);
    let mut words = command.into_iter();
    let command = words.next().map(|program| {
        let mut command = Command::new(program);
        command.args(words);
        command
    });
    // Two threads: while one reads a long request, answers stream on.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(serve(target, listen, api, provider, allow, command, ready))
}

async fn serve(
    target: Target,
    listen: SocketAddr,
    api: Upstream,
    provider: String,
    allow: Vec<String>,
    command: Option<Command>,
    ready: impl FnOnce(&str),
) -> Result<u8, Failure> {
    let cannot = |source: io::Error| format!("cannot listen on {listen}: {source}");
    let listener = Listener::bind(listen).await.map_err(cannot)?;
    let origin = format!("http://{}", listener.address().map_err(cannot)?);
    let bases = Bases::of(&origin, api.path());
    // Ended before an agent is started, if there is no signer.
    let teller = Teller::open(target, provider).await.map_err(|untold| format!("no signer: {untold}"))?;
    let relay = Relay::new(api, teller, allow);
    let Some(mut command) = command else {
        let stop = told_to_stop(Sighup::Passed)?;
        ready(&bases.own);
        listener.serve(relay, &limits(), stop).await;
        return Ok(0);
    };
    ready(&bases.own);
    command.env("OPENAI_BASE_URL", &bases.openai).env("ANTHROPIC_BASE_URL", &bases.anthropic);
    let (over, is_over) = oneshot::channel::<()>();
    let limits = limits();
    let served = listener.serve(relay, &limits, async { drop(is_over.await) });
    let ((), ended) = tokio::join!(served, async {
        let ended = stdio::beside(command).await;
        drop(over);
        ended
    });
    match ended {
        Ok(exit) => Ok(exit.code()),
        Err(stdio::RelayError::Spawn { program, source }) => Err(format!("cannot start {program:?}: {source}").into()),
        Err(error) => Err(error.into()),
    }
}

/// What clients are told in place of the API's own address. Paths go on as they come, so ours has the same path.
#[derive(Debug, PartialEq, Eq)]
struct Bases {
    own: String,
    openai: String,
    anthropic: String,
}

impl Bases {
    fn of(origin: &str, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        // OpenAI's clients take the version to be part of the base, Anthropic's write it themselves.
        let openai = if path.is_empty() { "/v1" } else { path };
        let anthropic = path.strip_suffix("/v1").unwrap_or(path);
        Self {
            own: format!("{origin}{path}"),
            openai: format!("{origin}{openai}"),
            anthropic: format!("{origin}{anthropic}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_is_given_the_base_that_it_expects() {
        for (path, openai, anthropic) in [
            ("/", "o/v1", "o"),
            ("/v1", "o/v1", "o"),
            ("/v1/", "o/v1", "o"),
            ("/api/v1", "o/api/v1", "o/api"),
            ("/v1beta/openai/", "o/v1beta/openai", "o/v1beta/openai"),
        ] {
            let bases = Bases::of("o", path);
            assert_eq!((&*bases.openai, &*bases.anthropic), (openai, anthropic), "{path}");
        }
    }
}
