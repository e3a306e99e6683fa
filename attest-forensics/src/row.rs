//! One entry of any log, flat: what it is looked for by, and what a table has a column for.

use attest_core::alert::Severity;
use attest_core::digest::Digest;
use attest_core::entry::{self, Checked, Verdict, Written};
use attest_core::labels::Labels;
use attest_core::measurement::Component;
use attest_core::seen::{self, Event, What};
use serde::Serialize;

/// What an entry says, as far as it is in one of these columns. Names are what others wrote: whoever shows them escapes them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Index in its log.
    pub index: u64,
    /// Milliseconds since 1970, by the clock of the log's owner.
    pub time: u64,
    /// The type of the entry; of what was seen, `seen:` and what.
    pub kind: &'static str,
    /// The agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The server: its audience, or the name it is configured under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The tool, or the method where none was called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// `allow` or `deny`, of a decision; of an outcome how it ended; of a receipt whether it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<&'static str>,
    /// Why it was refused, or the rule of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How bad, of an alert.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Severity>,
    /// The call that it is about: hash of its proof.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call: Option<Digest>,
    /// The labels of all that the call's context had seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Hosts and domains that it names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub destinations: Vec<String>,
    /// Commitments to what was passed or answered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub commitments: Vec<Digest>,
    /// The same in words, for a person: one line.
    pub words: String,
}

impl Row {
    /// Of the entry at `index`; what cannot be read is of the kind `unreadable`.
    pub fn of(index: u64, body: &[u8]) -> Self {
        match Written::read(body) {
            Ok(written) => Self::of_written(index, &written),
            Err(error) => Self { index, kind: "unreadable", words: error.to_string(), ..Self::default() },
        }
    }

    /// Of an entry that was read.
    pub fn of_written(index: u64, written: &Written<'_>) -> Self {
        let row = Self { index, time: written.time(), ..Self::default() };
        let text = |name: &str| Some(name.to_owned());
        match written {
            Written::Start { audience, version, .. } => {
                Self { kind: "start", server: text(audience), words: format!("verifier {version} starts"), ..row }
            }
            Written::Config { audience, policy, .. } => Self {
                kind: "config",
                server: text(audience),
                words: format!("goes on with the configuration {policy}"),
                ..row
            },
            Written::Decision { agent, audience, call, called, verdict, .. } => {
                let row =
                    Self { kind: "decision", agent: text(agent), server: text(audience), call: Some(*call), ..row };
                let row = row.calling(called);
                match verdict {
                    Verdict::Allow { lineage, params, notification, .. } => Self {
                        verdict: Some("allow"),
                        labels: named(&lineage.labels),
                        commitments: vec![*params],
                        words: if *notification {
                            "let through, no answer".to_owned()
                        } else {
                            "let through".to_owned()
                        },
                        ..row
                    },
                    Verdict::Deny { about, reason } => Self {
                        verdict: Some("deny"),
                        reason: text(reason.code()),
                        words: about.as_ref().map_or("refused".to_owned(), |about| format!("refused: {about}")),
                        ..row
                    },
                }
            }
            Written::Outcome { audience, call, result, status, .. } => Self {
                kind: "outcome",
                server: audience.as_deref().and_then(text),
                verdict: Some(status.as_str()),
                call: Some(*call),
                commitments: result.iter().copied().collect(),
                words: "ended".to_owned(),
                ..row
            },
            Written::Refused { audience, count, reason, .. } => Self {
                kind: "refused",
                server: text(audience),
                verdict: Some("deny"),
                reason: text(reason.code()),
                words: format!("{count} refused before anybody was known"),
                ..row
            },
            Written::Context { agent, version, .. } => {
                Self { kind: "context", agent: text(agent), words: format!("signer {version} starts"), ..row }
            }
            Written::Call { audience, call, called, params, .. } => Self {
                kind: "call",
                server: text(audience),
                call: Some(*call),
                commitments: vec![*params],
                words: "signed".to_owned(),
                ..row
            }
            .calling(called),
            Written::Receipt { audience, call, checked, .. } => {
                let (verdict, reason, words) = match checked {
                    Checked::Good { index, log, .. } => ("ok", None, format!("entry {index} of {log}")),
                    Checked::Bad { defect } => ("bad", text(defect.reason().code()), "does not hold".to_owned()),
                };
                Self {
                    kind: "receipt",
                    server: text(audience),
                    verdict: Some(verdict),
                    reason,
                    call: Some(*call),
                    words,
                    ..row
                }
            }
            Written::Trail { version, .. } => Self { kind: "trail", words: format!("audit {version} starts"), ..row },
            Written::Seen { event, .. } => row.seen(event),
            Written::Alert { alert, .. } => Self {
                kind: "alert",
                server: text(&alert.server),
                tool: alert.tool.clone(),
                reason: text(&alert.rule),
                severity: Some(alert.severity),
                call: alert.call,
                words: alert.reason.clone(),
                ..row
            },
            Written::Key { key, .. } => Self { kind: "key", words: format!("the log's key changes to {key}"), ..row },
            Written::Accepted { agent, audience, by, component, reason, .. } => Self {
                kind: "accepted",
                agent: text(agent),
                server: text(audience),
                words: format!("{component} accepted by {by}: {reason}"),
                ..row
            },
            Written::Closed { alert, audience, by, reason, .. } => Self {
                kind: "closed",
                server: text(audience),
                words: format!("alert {alert} closed by {by}: {reason}"),
                ..row
            },
            Written::Used { audience, call, token, .. } => Self {
                kind: "used",
                server: text(audience),
                call: Some(*call),
                words: format!("uses up {token}"),
                ..row
            },
            Written::Adopted { size, .. } => {
                Self { kind: "adopted", words: format!("taken over by hand at {size} entries"), ..row }
            }
            Written::Forgotten { before, .. } => {
                Self { kind: "forgotten", words: format!("tokens beside entries before {before} let go"), ..row }
            }
            // A type of entry that this version does not know is refused when it is read.
            _ => Self { kind: "other", ..row },
        }
    }

    fn calling(self, called: &entry::Called<'_>) -> Self {
        let (entry::Called::Tool(name) | entry::Called::Method(name)) = called;
        Self { tool: Some(name.clone().into_owned()), ..self }
    }

    fn seen(self, event: &Event) -> Self {
        let row = Self { server: Some(event.server.clone()), ..self };
        let called = |called: &seen::Called| {
            let (seen::Called::Tool(name) | seen::Called::Method(name)) = called;
            Some(name.clone())
        };
        let marks = |marks: &seen::Marks| if marks.is_empty() { String::new() } else { format!(", marks {marks}") };
        match &event.what {
            What::Server(server) => Self {
                kind: "seen:server",
                words: format!(
                    "says that it is {}{}",
                    server.name.as_deref().unwrap_or("nobody"),
                    marks(&server.marks)
                ),
                ..row
            },
            What::Tool(tool) => Self {
                kind: "seen:tool",
                tool: Some(tool.tool.clone()),
                commitments: vec![tool.description],
                words: format!("lists it{}", marks(&tool.marks)),
                ..row
            },
            What::ToolGone { tool } => {
                Self { kind: "seen:tool-gone", tool: Some(tool.clone()), words: "lists it no longer".to_owned(), ..row }
            }
            What::Call(call) => Self {
                kind: "seen:call",
                tool: called(&call.called),
                call: Some(call.call),
                destinations: call.destinations.names().to_vec(),
                commitments: vec![call.arguments],
                words: format!("{} bytes of arguments{}", call.size, marks(&call.marks)),
                ..row
            },
            What::Read(read) => Self {
                kind: "seen:read",
                tool: Some(read.method.clone()),
                call: Some(read.call),
                destinations: read.destinations.names().to_vec(),
                commitments: vec![read.name],
                words: "reads".to_owned(),
                ..row
            },
            What::Answer(answer) => Self {
                kind: "seen:answer",
                verdict: Some(answer.status.as_str()),
                call: Some(answer.call),
                destinations: answer.destinations.names().to_vec(),
                commitments: answer.result.into_iter().collect(),
                words: format!("{} bytes after {} ms{}", answer.size, answer.latency, marks(&answer.marks)),
                ..row
            },
            What::Asked(asked) => Self {
                kind: "seen:asked",
                tool: Some(asked.method.clone()),
                call: asked.call,
                words: format!("the server asks the client{}", marks(&asked.marks)),
                ..row
            },
            What::Refused { call, called: of, reason } => Self {
                kind: "seen:refused",
                tool: called(of),
                verdict: Some("deny"),
                reason: Some(reason.clone()),
                call: *call,
                words: "refused".to_owned(),
                ..row
            },
            What::State(changed) => Self {
                kind: "seen:state",
                words: format!(
                    "changed: {}",
                    changed.iter().map(|c| Component::as_str(*c)).collect::<Vec<_>>().join(", ")
                ),
                ..row
            },
            What::Opaque { size, .. } => {
                Self { kind: "seen:opaque", words: format!("{size} bytes that are no message"), ..row }
            }
            _ => Self { kind: "seen:other", ..row },
        }
    }
}

/// `*` for every label.
fn named(labels: &Labels) -> Vec<String> {
    labels.iter().map(str::to_owned).collect()
}
