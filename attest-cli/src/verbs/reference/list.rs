//! `attest reference list`: what a guard accepts, and who said so.

use std::path::PathBuf;

use attest_core::comparison::Rule;
use attest_core::trust::Reference;
use serde::Serialize;
use server_verifier::Config;
use server_verifier::config::Acceptance;

use crate::{Ending, output};

/// Every reference value of a guard.toml, one line each
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Whose file
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    config: PathBuf,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    agent: &'a str,
    component: &'static str,
    /// A digest, `any`, `template` or `listing`.
    accepts: String,
    /// The weakest accepted grade.
    grade: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    accepted: Vec<Said<'a>>,
}

#[derive(Serialize)]
struct Said<'a> {
    by: &'a str,
    reason: &'a str,
    time: u64,
}

impl<'a> Said<'a> {
    fn of(Acceptance { by, reason, time, .. }: &'a Acceptance) -> Self {
        Self { by, reason, time: *time }
    }
}

pub(crate) fn run(args: &Args) -> Ending {
    let config = Config::read(&args.config)?;
    let mut agents: Vec<_> = config.trust.agents().collect();
    agents.sort_unstable_by_key(|(agent, _)| *agent);
    for (agent, references) in agents {
        for (component, reference) in references {
            for accepts in accepts(reference) {
                let is_it =
                    |a: &&Acceptance| a.agent == agent && a.component == *component && a.digest.to_b64() == accepts;
                let accepted = config.accepted.iter().filter(is_it).map(Said::of).collect();
                let grade = if reference.endorsed { "endorsed" } else { reference.grade.as_str() };
                show(&Row { agent, component: component.as_str(), accepts, grade, accepted }, args.json)?;
            }
        }
    }
    Ok(0)
}

fn accepts(reference: &Reference) -> Vec<String> {
    let Some(digests) = &reference.digests else {
        return vec!["any".to_owned()];
    };
    let rule = reference.rule.as_ref().map(|rule| match rule {
        Rule::Template(_) => "template".to_owned(),
        _ => "listing".to_owned(),
    });
    digests.iter().map(|accepted| accepted.digest.to_b64()).chain(rule).collect()
}

fn show(row: &Row<'_>, json: bool) -> Result<(), Box<dyn std::error::Error>> {
    if json {
        return output::json(row);
    }
    let Row { agent, component, accepts, grade, accepted } = row;
    let mut line = format!("{}  {component:<14} {accepts:<43} {grade}", agent.escape_debug());
    for Said { by, reason, time } in accepted {
        let time = i64::try_from(*time).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        let time = time.map_or_else(String::new, |time| time.to_string());
        line += &format!("\n    by {} at {time}: {}", by.escape_debug(), reason.escape_debug());
    }
    output::line(line);
    Ok(())
}
