//! Talks to an MCP server with rmcp's client; see tests/real/README.md.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use attest_rmcp::converse::{ConverseError, Era, Script, Server, Talk};
use clap::{ArgGroup, Parser, ValueEnum};

/// Says to an MCP server what a scenario lists, and prints what comes back as JSON lines.
#[derive(Parser)]
#[command(group = ArgGroup::new("what").required(true).args(["scenario", "call", "expect_refusal"]))]
#[command(group = ArgGroup::new("server").required(true).args(["url", "command"]))]
struct Options {
    /// Play this scenario of tests/real/scenarios.json.
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Read the scenarios from another file.
    #[arg(long, value_name = "FILE", requires = "scenario")]
    scenarios: Option<PathBuf>,
    /// Call one tool; fails when an outcome is an error.
    #[arg(long, num_args = 2, value_names = ["TOOL", "JSONARGS"])]
    call: Option<Vec<String>>,
    /// Call one tool; fails when a call goes through.
    #[arg(long, num_args = 2, value_names = ["TOOL", "JSONARGS"])]
    expect_refusal: Option<Vec<String>>,
    /// How often to call.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    times: u32,
    /// The folder that the server works on; stands for {workdir}.
    #[arg(long, value_name = "DIR")]
    workdir: Option<PathBuf>,
    /// `auto` speaks 2026-07-28 where the server does; `legacy` always speaks 2025-11-25.
    #[arg(long, value_enum, default_value = "auto")]
    era: EraName,
    /// One more environment variable for the server's command.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    env: Vec<(String, String)>,
    /// Talk to this endpoint over Streamable HTTP.
    #[arg(long)]
    url: Option<String>,
    /// A header for each request; only with --url.
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting, requires = "url")]
    header: Vec<(String, String)>,
    /// Write the transcript there instead of to stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The server's command, to talk to over stdio.
    #[arg(last = true, value_name = "SERVER ARGS")]
    command: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum EraName {
    Auto,
    Legacy,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Options {
    fn into_talk(self) -> Talk {
        let script = match (self.scenario, self.call, self.expect_refusal) {
            (Some(name), ..) => Script::Scenario { name, file: self.scenarios },
            (None, call, refusal) => {
                let refused = call.is_none();
                let mut words = call.or(refusal).unwrap_or_default().into_iter();
                let (tool, arguments) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                Script::Call { tool, arguments, times: self.times, refused }
            }
        };
        let server = match self.url {
            Some(url) => Server::Url { url, headers: self.header },
            None => Server::Command { words: self.command, env: self.env },
        };
        let era = match self.era {
            EraName::Auto => Era::Auto,
            EraName::Legacy => Era::Legacy,
        };
        Talk { server, script, era, workdir: self.workdir }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let mut out: Box<dyn Write + Send> = match &options.out {
        None => Box::new(io::stdout()),
        Some(path) => match File::create(path) {
            Ok(file) => Box::new(file),
            Err(source) => {
                say(&ConverseError::Io { what: path.display().to_string(), source }.to_string());
                return ExitCode::from(2);
            }
        },
    };
    match options.into_talk().hold(out.as_mut()).await {
        Ok(surprises) => {
            surprises.iter().for_each(|surprise| say(surprise));
            if surprises.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::print_stderr, reason = "stdout is for the transcript")]
fn say(message: &str) {
    eprintln!("converse: {message}");
}
