//! What can be wrong with an installation, found by looking; one file per thing that is looked at.
//!
//! Nothing is changed, and nothing is started but the `attest` binaries that the user's own host configurations name (for
//! their version). Project files may come from strangers, so what they name is not run.

mod agent;
mod clock;
mod guard;
mod hosts;
mod logs;
mod meta;
mod remote;

use std::fmt;
use std::path::{Path, PathBuf};

use attest_hosts::Found;
use serde::Serialize;

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    Ok,
    Warning,
    Wrong,
}

/// What was found, with the fix.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    pub level: Level,
    /// What was looked at.
    pub about: &'static str,
    pub text: String,
}

/// What was found so far.
#[derive(Debug, Default)]
pub(crate) struct Findings(pub Vec<Finding>);

impl Findings {
    fn add(&mut self, level: Level, about: &'static str, text: impl fmt::Display) {
        // One line each, whatever somebody else's words hold.
        let text = text.to_string().lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.0.push(Finding { level, about, text });
    }

    fn ok(&mut self, about: &'static str, text: impl fmt::Display) {
        self.add(Level::Ok, about, text);
    }

    fn warning(&mut self, about: &'static str, text: impl fmt::Display) {
        self.add(Level::Warning, about, text);
    }

    fn wrong(&mut self, about: &'static str, text: impl fmt::Display) {
        self.add(Level::Wrong, about, text);
    }

    /// The worst of it.
    pub fn worst(&self) -> Level {
        self.0.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
    }
}

/// What is looked at.
pub(crate) struct Patient<'a> {
    /// `agent.toml` and `guard.toml` files; told apart by what they say.
    pub configs: &'a [PathBuf],
    /// Further addresses.
    pub upstreams: &'a [String],
    pub hosts: &'a [Found],
    /// Whether remote servers are sent a call that a guard refuses and writes down.
    pub probe: bool,
    pub now: u64,
}

/// Looks at everything.
pub(crate) fn examine(patient: &Patient<'_>) -> Result<Findings, Box<dyn std::error::Error>> {
    let mut findings = Findings::default();
    let (mut agents, mut guards, mut remotes) = (Vec::new(), Vec::new(), Vec::new());
    clock::files(&mut findings);
    for path in patient.configs {
        match kind(path) {
            Ok(Kind::Agent) => agents.extend(agent::look(path, patient.now, &mut findings)),
            Ok(Kind::Guard) => guards.extend(guard::look(path, &mut findings)),
            Err(error) => findings.wrong("config", error),
        }
    }
    for agent in &agents {
        remotes.extend(agent.remotes(&mut findings));
        for (path, guard) in &guards {
            guard::agrees(path, guard, agent, &mut findings);
        }
    }
    for (path, guard) in &guards {
        remotes.extend(guard::remote(path, guard, &mut findings));
    }
    for url in patient.upstreams {
        match remote::Remote::new(url.clone(), url) {
            Ok(remote) => remotes.push(remote),
            Err(error) => findings.wrong("upstream", error),
        }
    }
    remote::ask(&remotes, patient.probe, &mut findings)?;
    hosts::look(patient.hosts, &mut findings);
    Ok(findings)
}

enum Kind {
    Agent,
    Guard,
}

fn kind(path: &Path) -> Result<Kind, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| format!("cannot read {}: {e}; name agent.toml or guard.toml with --config", path.display()))?;
    let table: toml::Table = text.parse().map_err(|e| format!("{}: {e}", path.display()))?;
    match (table.contains_key("agent"), table.contains_key("audience")) {
        (true, false) => Ok(Kind::Agent),
        (false, true) => Ok(Kind::Guard),
        _ => Err(format!(
            "{} is neither an agent's configuration (`agent = …`) nor a guard's (`audience = …`)",
            path.display()
        )),
    }
}
