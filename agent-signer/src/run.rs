//! `attest run`: the agent is started with the very files that were measured.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use attest_measure::View;
use mcp_relay::stdio;

use crate::config::Config;
use crate::launch::{self, socket_of};
use crate::view::{self, Shown};

type Failure = Box<dyn std::error::Error>;

/// Starts an agent with the very files that were measured, and attests them as in use.
///
/// The files that agent.toml measures are opened once, and measured and loaded by way of the open files: what takes the place of
/// one of them later is neither. Prompt and settings are copied into memory that nobody can write to. The agent finds them at
/// $ATTEST_WEIGHTS, $ATTEST_SYSTEM_PROMPT and $ATTEST_CONFIG, or where its command says {weights}, {system_prompt} and {config}.
/// The signer runs as long as the agent does.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// What the agent is
    #[arg(long, value_name = "FILE", default_value = "agent.toml", env = "ATTEST_AGENT_CONFIG")]
    config: PathBuf,

    /// The agent's command and its arguments
    #[arg(last = true, required = true, value_name = "AGENT COMMAND")]
    command: Vec<OsString>,
}

/// Runs it; returns the agent's code.
///
/// # Errors
/// What kept the agent from being measured or started.
pub fn run(args: RunArgs) -> Result<u8, Failure> {
    let path = std::path::absolute(&args.config)?;
    let config = Config::read(&path)?;
    let socket = socket_of(&config)?;
    many_files();
    let mut view = View::new(&socket.with_extension("view"))?;
    let shown = view::fill(&mut view, &config.measure)?;
    if shown == Shown::default() {
        let what = "[measure] names no weights, system_prompt or config: there is nothing to start the agent with";
        return Err(format!("{}: {what}", path.display()).into());
    }
    launch::start(&path, &socket, Some(view.folder()))?;
    let ended = started(&args.command, &shown, &path);
    // The next signer is to measure what lies on disk, since nobody holds these files any more.
    let stopped = crate::args::stop_signer(&path);
    let code = ended?;
    stopped?;
    Ok(code)
}

fn started(command: &[OsString], shown: &Shown, config: &Path) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let places = [
            ("weights", "ATTEST_WEIGHTS", &shown.weights),
            ("system_prompt", "ATTEST_SYSTEM_PROMPT", &shown.system_prompt),
            ("config", "ATTEST_CONFIG", &shown.config),
        ];
        let mut words = command.iter().map(|word| {
            let placed = places.iter().filter_map(|(name, _, path)| Some((name, path.as_ref()?)));
            placed.fold(word.clone(), |word, (name, path)| replaced(&word, &format!("{{{name}}}"), path.as_os_str()))
        });
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(words).env("ATTEST_AGENT_CONFIG", config);
        for (_, variable, path) in places {
            match path {
                Some(path) => command.env(variable, path),
                None => command.env_remove(variable),
            };
        }
        Ok(stdio::beside(command).await?.code())
    })
}

fn replaced(word: &OsStr, from: &str, to: &OsStr) -> OsString {
    let (word, from) = (word.as_bytes(), from.as_bytes());
    let mut out = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        let (before, after) = rest.split_at(at);
        out.extend_from_slice(before);
        out.extend_from_slice(to.as_bytes());
        rest = after.get(from.len()..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    OsString::from_vec(out)
}

/// Lets this process hold as many files as it may: a sharded model has hundreds.
fn many_files() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, limit);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_filled_in_wherever_it_stands() {
        let fill = |word: &str| replaced(OsStr::new(word), "{weights}", OsStr::new("/v/w"));
        assert_eq!(fill("--model={weights}"), "--model=/v/w");
        assert_eq!(fill("{weights}:{weights}"), "/v/w:/v/w");
        assert_eq!(fill("{weight}"), "{weight}");
        assert_eq!(fill(""), "");
    }
}
