//! The client that the conformance suite is run with: `conformance client --command conformance-client`. The suite adds the
//! URL of its server, and says by environment variables which scenario it plays.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use attest_rmcp::client::{ClientError, Scenario, play};
use clap::Parser;
use rmcp::model::ProtocolVersion;
use serde_json::Value;

/// Some of the suite's servers leave a request without an answer. The suite ends its clients after 30 s and then counts a
/// failure, though its server may have seen all that it wanted.
const LONGEST: Duration = Duration::from_secs(20);

/// Plays the scenario that the environment names against the suite's server.
#[derive(Parser)]
struct Options {
    /// The suite's server.
    url: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let played = match scenario() {
        Ok(scenario) => tokio::time::timeout(LONGEST, play(&scenario, &options.url)).await,
        Err(error) => Ok(Err(error)),
    };
    match played {
        Ok(Ok(failures)) => {
            failures.iter().for_each(|failure| say(failure));
            ExitCode::SUCCESS
        }
        Ok(Err(error)) => {
            say(&error.to_string());
            ExitCode::FAILURE
        }
        Err(_) => {
            say("the server left a request without an answer");
            ExitCode::FAILURE
        }
    }
}

fn scenario() -> Result<Scenario, ClientError> {
    let variable = |name| env::var(name).ok().filter(|value: &String| !value.is_empty());
    let version = variable("MCP_CONFORMANCE_PROTOCOL_VERSION")
        .and_then(|version| serde_json::from_value(Value::String(version)).ok())
        .unwrap_or(ProtocolVersion::V_2025_11_25);
    let context = match variable("MCP_CONFORMANCE_CONTEXT") {
        Some(context) => serde_json::from_str(&context)?,
        None => Value::Null,
    };
    let name = variable("MCP_CONFORMANCE_SCENARIO").unwrap_or_else(|| "initialize".to_owned());
    Ok(Scenario { name, version, context })
}

#[expect(clippy::print_stderr, reason = "the suite keeps it beside its results")]
fn say(message: &str) {
    eprintln!("conformance-client: {message}");
}
