//! `attest init`: everything one agent and one server need, made in one folder.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use attest_core::flow::Flow;
use attest_core::labels::{Labels, UNTRUSTED};
use attest_core::measurement::Measurement;
use attest_core::note::{Kind, Vkey};
use attest_core::sign::Sign as _;
use attest_core::tools::{Tools, qualified};
use attest_keys::{Form, Key, SecretKey, public_jwk, write_public};
use serde_json::json as document;

use crate::verbs::{delegate, measure};
use crate::{Ending, output};

/// Makes keys, measures the agent, grants it the server's tools, and prints the `mcpServers` entry to paste.
///
/// In the folder afterwards: keys/, agent.toml (what the agent is), guard.toml (whom the server lets in), delegation.chain
/// (what was granted). Nothing that exists is replaced.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    dir: PathBuf,
    /// The agent's name
    #[arg(long, value_name = "NAME", default_value = "agent")]
    agent: String,
    /// The name that the server's guard goes by
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// The model's files, or the folder that holds them; may be repeated
    #[arg(long, value_name = "PATH")]
    weights: Vec<PathBuf>,
    /// A hosted model: `<provider>/<model>`, or `<provider>/<model>@<snapshot>`
    #[arg(long, value_name = "MODEL", conflicts_with = "weights")]
    model: Option<String>,
    /// The file that holds the system prompt
    #[arg(long, value_name = "FILE")]
    prompt: Option<PathBuf>,
    /// The agent's settings, TOML or JSON
    #[arg(long, value_name = "FILE")]
    settings: Option<PathBuf>,
    /// Grant this tool; may be repeated. Without it the server is asked, and all its tools are granted
    #[arg(long = "tool", value_name = "TOOL")]
    tools: Vec<String>,
    /// The server's command and its arguments
    #[arg(last = true, required = true, value_name = "SERVER COMMAND")]
    server: Vec<OsString>,
}

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: Args) -> Ending {
    let tools = if args.tools.is_empty() { tools_of(&args.server)? } else { args.tools };
    let plan = Plan {
        agent: args.agent,
        audience: args.audience,
        weights: args.weights,
        model: args.model,
        prompt: args.prompt,
        settings: args.settings,
        tools,
    };
    let folder = std::path::absolute(&args.dir)?;
    plan.carry_out(&folder)?;
    output::remark(format!("granted {} tool(s) of {:?}: {}", plan.tools.len(), plan.audience, plan.tools.join(", ")));
    output::remark(format!("made keys/, agent.toml, guard.toml and delegation.chain in {}", folder.display()));
    output::remark("take keys/root.key and guard.toml away from where the agent runs: they decide what it may do");
    output::remark("keys/guard-log.key belongs to the server alone: with it the agent could write its own receipts");
    output::remark("paste this into your MCP host's configuration:");
    output::text(serde_json::to_string_pretty(&entry(&folder, &plan.audience, &args.server)?)? + "\n");
    Ok(0)
}

/// How long a server may take to answer one question; the first start of an `npx` server downloads it.
const PATIENCE: Duration = Duration::from_secs(60);

fn tools_of(server: &[OsString]) -> Result<Vec<String>, Failure> {
    let (program, arguments) = server.split_first().ok_or("no server command: write it after --")?;
    let mut command = Command::new(program);
    command.args(arguments);
    let tools = mcp_relay::probe::tools(command, PATIENCE).map_err(|e| format!("{e}; name its tools with --tool"))?;
    if tools.is_empty() {
        return Err("the server has no tools; name those it will have with --tool".into());
    }
    Ok(tools)
}

/// What is to be made.
pub(crate) struct Plan {
    pub agent: String,
    pub audience: String,
    pub weights: Vec<PathBuf>,
    pub model: Option<String>,
    pub prompt: Option<PathBuf>,
    pub settings: Option<PathBuf>,
    pub tools: Vec<String>,
}

/// For how long the root grants, in seconds: 30 days.
const ROOT_LIFE: u64 = 30 * 86_400;
/// Issuer of attestations and of the root, for an agent whose owner is its only authority.
const ISSUER: &str = "self";

impl Plan {
    /// Makes everything in `folder`, or nothing.
    pub(crate) fn carry_out(&self, folder: &Path) -> Result<(), Failure> {
        for name in MADE {
            let path = folder.join(name);
            if path.symlink_metadata().is_ok() {
                return Err(
                    format!("{} exists already and is not replaced; choose another --dir", path.display()).into()
                );
            }
        }
        let log_key = SecretKey::generate()?;
        // The name of the guard's log is the guard's own.
        let pinned = Vkey::new(&self.audience, Kind::Log, log_key.public().clone())
            .map_err(|e| format!("--audience {:?}: {e}", self.audience))?;
        // Measured before anything is written: it is what takes long, and may be interrupted.
        let agent_toml = self.agent_toml(&pinned)?;
        let measured = measure::state(&agent_signer::Config::parse(&agent_toml, &folder.join("agent.toml"))?)?;
        fs::create_dir_all(folder).map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        let mut made = Vec::new();
        let written = self.write(folder, &agent_toml, &log_key, &measured.measurements, &mut made);
        if written.is_err() {
            // Only what this very run made: another one may be at work in the same folder.
            for path in made.iter().rev() {
                let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            }
        }
        written
    }

    fn write(
        &self,
        folder: &Path,
        agent_toml: &str,
        log_key: &SecretKey,
        measured: &[Measurement],
        made: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        let keys = folder.join("keys");
        fs::DirBuilder::new().create(&keys).map_err(|e| format!("cannot make {}: {e}", keys.display()))?;
        made.push(keys.clone());
        let write = |name: &str, key: &SecretKey| -> Result<(), Failure> {
            key.write(&keys.join(format!("{name}.key")), Form::Pem)?;
            Ok(write_public(&keys.join(format!("{name}.key.pub")), key.public(), Form::Pem)?)
        };
        let make = |name: &str| -> Result<SecretKey, Failure> {
            let key = SecretKey::generate()?;
            write(name, &key)?;
            Ok(key)
        };
        write("guard-log", log_key)?;
        let (attester, agent, root) = (make("attester")?, make("agent")?, make("root")?);
        let mut put = |name: &str, text: &str| -> Result<(), Failure> {
            let path = folder.join(name);
            delegate::write_new(&path, text)?;
            made.push(path);
            Ok(())
        };
        put("agent.toml", agent_toml)?;
        put("guard.toml", &(self.guard_toml(&attester, &root)? + &measure::references(&self.agent, measured)))?;
        let granted = self.tools.iter().map(|tool| (qualified(&self.audience, tool), BTreeMap::new())).collect();
        let holder = agent.public().clone();
        // What has no receipt may reach the tools; whoever labels data of his own says where it may go.
        let untrusted = Labels::one(UNTRUSTED).unwrap_or_default();
        let flow = Flow { of_own_accord: true, release: BTreeMap::from([("*".to_owned(), untrusted)]) };
        let granted = (Tools(granted), Some(flow), None);
        let token = delegate::root(&Key::from(root), ISSUER.to_owned(), holder, granted, ROOT_LIFE, 1, None)?;
        put("delegation.chain", &(token + "\n"))
    }

    fn agent_toml(&self, pinned: &Vkey) -> Result<String, Failure> {
        let path = |p: &Path| Ok::<_, Failure>(toml::Value::from(utf8(&std::path::absolute(p)?)?));
        let mut measure = String::new();
        if !self.weights.is_empty() {
            let all = self.weights.iter().map(|p| path(p).map(|v| v.to_string())).collect::<Result<Vec<_>, _>>()?;
            measure.push_str(&format!("weights = [{}]\n", all.join(", ")));
        }
        if let Some(model) = &self.model {
            measure.push_str(&model_line(model)?);
        }
        for (name, file) in [("system_prompt", &self.prompt), ("config", &self.settings)] {
            if let Some(file) = file {
                measure.push_str(&format!("{name} = {}\n", path(file)?));
            }
        }
        Ok(format!(
            "# What this agent is. Read by `attest wrap` and its signer; the agent itself should not be able to write it.\n\
             agent = {agent}\nissuer = \"{ISSUER}\"\nkey = \"keys/agent.key\"\nattester_key = \"keys/attester.key\"\n\
             delegation = \"delegation.chain\"\nlog = \"signer.db\"\n\n\
             # Measured at start, again before an attestation runs out, and whenever a file was touched.\n[measure]\n{measure}\n\
             # The key of the log of the server's guard, as `attest log key` prints it there. Answers of this server count only with\n\
             # a receipt by it (receipts = \"required\", the default where a key is pinned).\n\
             [[server]]\naudience = {audience}\nlog_keys = [{pinned}]\n\n\
             # Keep which labels the agent's context has seen, over all its servers.\n[flow]\n\n\
             # Write down every message that matters between the agent and its servers, and raise alerts.\n# [trail]\n",
            agent = toml::Value::from(self.agent.as_str()),
            audience = toml::Value::from(self.audience.as_str()),
            pinned = toml::Value::from(pinned.to_string()),
        ))
    }

    fn guard_toml(&self, attester: &SecretKey, root: &SecretKey) -> Result<String, Failure> {
        let jwk = |key: &SecretKey| -> Result<String, Failure> {
            let jwk: BTreeMap<String, String> = serde_json::from_str(&public_jwk(key.public()))?;
            let x = jwk.get("x").ok_or("a public JWK has an x")?;
            Ok(format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{x}\" }}"))
        };
        let text = |s: &str| toml::Value::from(s).to_string();
        Ok(format!(
            "# Whom this server lets in. Read by `attest guard`; whoever can write it decides who may call.\n\
             audience = {audience}\nlog = \"guard.db\"\nlog_key = \"keys/guard-log.key\"\n\n\
             # Who may say what state an agent is in.\n[[attester]]\nissuer = \"{ISSUER}\"\nagents = [{agent}]\njwk = {attester}\n\n\
             # Who may grant tools of this server.\n[[root]]\nissuer = \"{ISSUER}\"\ntools = [{scope}]\nlabels = [\"{UNTRUSTED}\"]\njwk = {root}\n\n\
             # The state in which each agent is let in. A component that is not listed is refused.\n",
            audience = text(&self.audience),
            agent = text(&self.agent),
            scope = text(&qualified(&self.audience, "*")),
            attester = jwk(attester)?,
            root = jwk(root)?,
        ))
    }
}

/// What is made in the folder.
const MADE: [&str; 4] = ["keys", "agent.toml", "guard.toml", "delegation.chain"];

fn model_line(text: &str) -> Result<String, Failure> {
    let (provider, rest) =
        text.split_once('/').ok_or("--model is <provider>/<model>, or <provider>/<model>@<snapshot>")?;
    let (model, snapshot) = match rest.split_once('@') {
        Some((model, snapshot)) => (model, Some(snapshot)),
        None => (rest, None),
    };
    let quote = |s: &str| toml::Value::from(s).to_string();
    let snapshot = snapshot.map(|s| format!(", snapshot = {}", quote(s))).unwrap_or_default();
    Ok(format!("model = {{ provider = {}, model = {}{snapshot} }}\n", quote(provider), quote(model)))
}

fn utf8(path: &Path) -> Result<&str, Failure> {
    path.to_str()
        .ok_or_else(|| format!("{}: the path is not UTF-8 and cannot be written into a file", path.display()).into())
}

/// The entry for an MCP host: the server behind its guard, the guard behind the agent's wrap.
pub(crate) fn entry(folder: &Path, audience: &str, server: &[OsString]) -> Result<serde_json::Value, Failure> {
    let program = std::env::current_exe()?;
    let program = utf8(&program)?;
    let mut arguments = vec!["wrap".to_owned(), "--config".to_owned(), utf8(&folder.join("agent.toml"))?.to_owned()];
    arguments.extend(["--audience".to_owned(), audience.to_owned(), "--".to_owned(), program.to_owned()]);
    arguments.extend(["guard".to_owned(), "--config".to_owned(), utf8(&folder.join("guard.toml"))?.to_owned()]);
    arguments.push("--".to_owned());
    for word in server {
        arguments.push(utf8(Path::new(word))?.to_owned());
    }
    Ok(document!({ "mcpServers": { audience: { "command": program, "args": arguments } } }))
}
