//! The canonical form.

use std::collections::BTreeSet;

use attest_core::canon::jcs;
use serde::Serialize;

use super::{Asked, Facts, FactsError};

#[derive(Serialize)]
struct Wire<'a> {
    agent: &'a str,
    alerts: Vec<Alert<'a>>,
    asked: Named<'a>,
    classes: &'a BTreeSet<String>,
    components: Vec<Component>,
    delegation: Delegation<'a>,
    groups: &'a BTreeSet<String>,
    labels: &'a BTreeSet<String>,
    met: Met<'a>,
    risk: &'static str,
    server: &'a str,
    time: u64,
}

#[derive(Serialize)]
struct Alert<'a> {
    rule: &'a str,
    severity: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Named<'a> {
    Tool(&'a str),
    Method(&'a str),
}

#[derive(Serialize)]
struct Component {
    component: &'static str,
    digest: String,
    grade: &'static str,
}

#[derive(Serialize)]
struct Delegation<'a> {
    depth: u64,
    holder: &'a str,
    left: u64,
    root: &'a str,
}

#[derive(Serialize)]
struct Met<'a> {
    approvals: Vec<Approval<'a>>,
    nonce: bool,
    reattest: bool,
}

#[derive(Serialize)]
struct Approval<'a> {
    group: &'a str,
    persons: u32,
}

impl Facts<'_> {
    /// The canonical JSON form, without the arguments.
    ///
    /// # Errors
    /// [`FactsError`]: what is not of its form is not written.
    pub fn to_json(&self) -> Result<Vec<u8>, FactsError> {
        self.check()?;
        Ok(jcs(&Wire {
            agent: &self.agent,
            alerts: self
                .alerts
                .iter()
                .map(|open| Alert { rule: &open.rule, severity: open.severity.as_str() })
                .collect(),
            asked: match &self.asked {
                Asked::Tool(name) => Named::Tool(name),
                Asked::Method(name) => Named::Method(name),
            },
            classes: &self.classes,
            components: self
                .components
                .iter()
                .map(|one| Component {
                    component: one.component.as_str(),
                    digest: one.digest.to_b64(),
                    grade: one.grade.as_str(),
                })
                .collect(),
            delegation: Delegation {
                depth: self.delegation.depth,
                holder: &self.delegation.holder,
                left: self.delegation.left,
                root: &self.delegation.root,
            },
            groups: &self.groups,
            labels: &self.labels,
            met: Met {
                approvals: self
                    .met
                    .approvals
                    .iter()
                    .map(|(group, persons)| Approval { group, persons: *persons })
                    .collect(),
                nonce: self.met.nonce,
                reattest: self.met.reattest,
            },
            risk: self.risk.as_str(),
            server: &self.server,
            time: self.time,
        }))
    }
}
