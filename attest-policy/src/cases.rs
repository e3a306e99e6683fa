//! Cases of a policy test: facts, and what should come of them. A file of TOML, which people write and the policies' tests read.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::alert::Severity;
use attest_core::digest::Digest;
use attest_core::json::{self, Value};
use attest_core::measurement::{Component, Grade, Measurement};
use serde::Deserialize;

use crate::decision::{Decision, Met};
use crate::facts::{Arguments, Asked, Delegation, Facts, Open};
use crate::policies::Policies;
use crate::risk::Risk;

/// What is wrong with a file of cases.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasesError {
    /// It is no TOML, or has a member that there is not, or a value that is not of its form.
    #[error("{0}")]
    Form(#[from] toml::de::Error),
    /// There is no case in it.
    #[error("there is no [[case]] in it")]
    Empty,
    /// A value of a case is not one of its words.
    #[error("case {case:?}: {value:?} is no {member}; there are {words}")]
    Word {
        /// The case.
        case: String,
        /// The member.
        member: &'static str,
        /// What stands there.
        value: String,
        /// What could.
        words: String,
    },
    /// Something else about a case.
    #[error("case {case:?}: {what}")]
    Case {
        /// The case.
        case: String,
        /// What is wrong.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    expect: String,
    by: Option<BTreeSet<String>>,
    needs: Option<BTreeSet<String>>,
    arguments: Option<String>,
    facts: Known,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    #[serde(default = "agent")]
    agent: String,
    server: String,
    tool: Option<String>,
    method: Option<String>,
    #[serde(default)]
    groups: BTreeSet<String>,
    #[serde(default)]
    classes: BTreeSet<String>,
    #[serde(default)]
    components: BTreeMap<String, Measured>,
    #[serde(default)]
    delegation: Chain,
    #[serde(default)]
    labels: BTreeSet<String>,
    #[serde(default = "low")]
    risk: Risk,
    #[serde(default)]
    alerts: Vec<Found>,
    #[serde(default = "morning")]
    time: u64,
    #[serde(default)]
    met: Taken,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Measured {
    digest: String,
    grade: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Chain {
    depth: u64,
    holder: String,
    left: u64,
    root: String,
}

impl Default for Chain {
    fn default() -> Self {
        Self { depth: 0, holder: "holder".to_owned(), left: 900, root: "owner".to_owned() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    rule: String,
    severity: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Taken {
    nonce: bool,
    reattest: bool,
    approvals: BTreeMap<String, u32>,
}

fn agent() -> String {
    "agent".to_owned()
}

fn low() -> Risk {
    Risk::Low
}

/// Ten in the morning, UTC, of a Friday in 2027.
fn morning() -> u64 {
    1_800_007_200
}

/// One case: facts, and what should come of them.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its name.
    pub name: String,
    facts: Facts<'static>,
    arguments: Option<Value<'static>>,
    expect: String,
    by: Option<BTreeSet<String>>,
    needs: Option<BTreeSet<String>>,
}

/// Reads a file of cases.
///
/// # Errors
/// [`CasesError`]: with line and column, or the case's name.
pub fn parse(text: &str) -> Result<Vec<Case>, CasesError> {
    let file: File = toml::from_str(text)?;
    if file.case.is_empty() {
        return Err(CasesError::Empty);
    }
    file.case.into_iter().map(Case::of).collect()
}

impl Case {
    fn of(written: Written) -> Result<Self, CasesError> {
        let Written { name, expect, by, needs, arguments, facts } = written;
        let wrong = |what: String| CasesError::Case { case: name.clone(), what };
        let word = |member, value: &str, words: &[&str]| CasesError::Word {
            case: name.clone(),
            member,
            value: value.to_owned(),
            words: words.join(", "),
        };
        let outcomes = ["allow", "step-up", "deny", "error"];
        if !outcomes.contains(&expect.as_str()) {
            return Err(word("decision", &expect, &outcomes));
        }
        let arguments = match &arguments {
            None => None,
            Some(text) => {
                let value = json::parse(text.as_bytes()).map_err(|error| wrong(format!("arguments: {error}")))?;
                Some(value.into_owned())
            }
        };
        let asked = match (facts.tool, facts.method) {
            (Some(tool), None) => Asked::Tool(tool),
            (None, Some(method)) => Asked::Method(method),
            _ => return Err(wrong("facts: needs one of `tool` and `method`".to_owned())),
        };
        let mut components = Vec::new();
        for (component, Measured { digest, grade }) in &facts.components {
            let known: Vec<_> = Component::ALL.iter().map(|one| one.as_str()).collect();
            let grades: Vec<_> = Grade::ALL.iter().map(|one| one.as_str()).collect();
            components.push(Measurement {
                component: Component::parse(component).ok_or_else(|| word("component", component, &known))?,
                digest: Digest::from_b64(digest)
                    .ok_or_else(|| wrong(format!("{digest:?} is no digest: 43 characters of base64url")))?,
                grade: Grade::parse(grade).ok_or_else(|| word("grade", grade, &grades))?,
            });
        }
        components.sort_by_key(|one| one.component);
        let mut alerts = BTreeSet::new();
        for Found { rule, severity } in facts.alerts {
            let all: Vec<_> = Severity::ALL.iter().map(|one| one.as_str()).collect();
            let severity = Severity::parse(&severity).ok_or_else(|| word("severity", &severity, &all))?;
            alerts.insert(Open { rule, severity });
        }
        let Chain { depth, holder, left, root } = facts.delegation;
        let Taken { nonce, reattest, approvals } = facts.met;
        let facts = Facts {
            agent: facts.agent,
            groups: facts.groups,
            server: facts.server,
            asked,
            classes: facts.classes,
            components,
            delegation: Delegation { depth, holder, left, root },
            labels: facts.labels,
            risk: facts.risk,
            alerts,
            time: facts.time,
            met: Met { nonce, reattest, approvals },
            arguments: Arguments::Absent,
        };
        facts.check().map_err(|error| wrong(error.to_string()))?;
        Ok(Self { name, facts, arguments, expect, by, needs })
    }

    /// What comes of it under `policies`; a text where that is not what should.
    ///
    /// # Errors
    /// What came and what should have come.
    pub fn run(&self, policies: &Policies) -> Result<(), String> {
        let arguments = self.arguments.as_ref().map_or(Arguments::Absent, Arguments::Given);
        let decision = policies.decide(&Facts { arguments, ..self.facts.clone() });
        let came = said(decision.word(), Some(decision.by().iter().cloned().collect()), Some(needs(&decision)));
        let by: BTreeSet<String> = decision.by().iter().cloned().collect();
        let right = decision.word() == self.expect
            && self.by.as_ref().is_none_or(|expected| *expected == by)
            && self.needs.as_ref().is_none_or(|expected| *expected == needs(&decision));
        if right {
            return Ok(());
        }
        let why = if let Decision::Error(fault) = &decision { format!(" ({fault})") } else { String::new() };
        Err(format!("{came}{why}, not {}", said(&self.expect, self.by.clone(), self.needs.clone())))
    }
}

fn needs(decision: &Decision) -> BTreeSet<String> {
    match decision {
        Decision::StepUp { needs, .. } => needs.iter().map(ToString::to_string).collect(),
        _ => BTreeSet::new(),
    }
}

fn said(word: &str, by: Option<BTreeSet<String>>, needs: Option<BTreeSet<String>>) -> String {
    let list = |name: &str, items: Option<BTreeSet<String>>| {
        let items = items.filter(|items| !items.is_empty());
        items.map_or_else(String::new, |items| {
            format!(", {name} {}", items.into_iter().collect::<Vec<_>>().join(" and "))
        })
    };
    format!("{word}{}{}", list("by", by), list("needs", needs))
}
