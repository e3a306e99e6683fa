//! What passed between a host and a server, as a log keeps it: `spec/seen.md`.
//!
//! An [`Event`] holds names, counts and digests; never an argument or a result. Whatever judges it later sees no more.

mod marks;
mod read;
mod write;

use crate::digest::{Digest, Jti};
use crate::entry::Status;
use crate::json::Value;
use crate::limits::MAX_NAME;
use crate::measurement::Component;

pub use marks::{Mark, Marks};

/// Most destinations of one event.
pub const MAX_DESTINATIONS: usize = 16;
/// Longest destination, in bytes: a DNS name.
pub const MAX_DESTINATION: usize = 253;
/// Most pointers to where arguments break their schema.
pub const MAX_OUTSIDE: usize = 8;
/// Longest pointer, in characters.
pub const MAX_POINTER: usize = 256;
/// Longest untrusted text, in characters.
pub const MAX_TEXT: usize = 128;

/// One thing that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// One run of one server.
    pub session: Jti,
    /// The name that the server is configured under.
    pub server: String,
    /// What it was.
    pub what: What,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// The server said who it is.
    Server(Server),
    /// It listed a tool that is new, or not what it was.
    Tool(Tool),
    /// It no longer lists this tool.
    ToolGone {
        /// Its name.
        tool: String,
    },
    /// The host calls.
    Call(Box<Call>),
    /// The host reads a resource, gets a prompt, asks for a completion.
    Read(Box<Read>),
    /// The server answers one of the two.
    Answer(Box<Answer>),
    /// The server asks something of the client.
    Asked(Asked),
    /// A call was refused, by a verifier or on our side.
    Refused {
        /// Which, where it has a name.
        call: Option<Digest>,
        /// What was called.
        called: Called,
        /// Why; see [`is_word`].
        reason: String,
    },
    /// Measured components of the agent changed; ascending, at least one.
    State(Vec<Component>),
    /// A message without canonical form passed.
    Opaque {
        /// Who sent it.
        from: From,
        /// Its bytes.
        size: u64,
    },
}

/// Who a server says it is, and how it is reached. Texts are untrusted; see [`text`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Server {
    /// Name.
    pub name: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Protocol version.
    pub era: Option<String>,
    /// Salted digest of the command or URL.
    pub how: Option<Digest>,
    /// TLS name.
    pub host: Option<String>,
    /// Digest of the TLS key.
    pub key: Option<Digest>,
    /// Of its instructions.
    pub marks: Marks,
}

/// A tool as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tool {
    /// Its name; see [`name`].
    pub tool: String,
    /// Digest of the description.
    pub description: Digest,
    /// Digest of the canonical input schema.
    pub schema: Digest,
    /// Of what it says.
    pub marks: Marks,
    /// What it can do.
    pub can: Can,
}

/// What a tool can do, as far as can be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can {
    /// Change or destroy, run commands, pay.
    pub danger: bool,
    /// Bring in what strangers wrote.
    pub inward: bool,
    /// Carry data out.
    pub out: bool,
}

/// Annotations of MCP, as a server gave them of its tool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hints {
    /// `readOnlyHint`
    pub read_only: Option<bool>,
    /// `destructiveHint`
    pub destructive: Option<bool>,
    /// `openWorldHint`
    pub open_world: Option<bool>,
}

impl Hints {
    /// From a tool's `annotations`; what is no boolean is not there.
    pub fn of(annotations: &Value<'_>) -> Self {
        let hint = |name| annotations.as_object().and_then(|all| all.get(name)).and_then(Value::as_bool);
        Self {
            read_only: hint("readOnlyHint"),
            destructive: hint("destructiveHint"),
            open_world: hint("openWorldHint"),
        }
    }
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What joins it with its answer.
    pub call: Digest,
    /// What is called.
    pub called: Called,
    /// Salted digest of the arguments.
    pub arguments: Digest,
    /// Bytes of the arguments.
    pub size: u64,
    /// Digest of the arguments' shape.
    pub shape: Digest,
    /// Where they break the tool's schema: at most [`MAX_OUTSIDE`] pointers.
    pub outside: Vec<String>,
    /// Whom they name.
    pub destinations: Destinations,
    /// Of their strings.
    pub marks: Marks,
    /// Whether no answer will follow.
    pub notification: bool,
}

/// A resource, prompt or completion that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// What joins it with its answer.
    pub call: Digest,
    /// The method.
    pub method: String,
    /// Salted digest of URI or name.
    pub name: Digest,
    /// Bytes of the parameters.
    pub size: u64,
    /// Whom they name.
    pub destinations: Destinations,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it answers.
    pub call: Digest,
    /// How the call ended.
    pub status: Status,
    /// Bytes of the answer.
    pub size: u64,
    /// Milliseconds since the call, by a clock that does not jump.
    pub latency: u64,
    /// Salted digest of the result.
    pub result: Option<Digest>,
    /// Of its strings.
    pub marks: Marks,
    /// Whom it names; empty where there are no marks.
    pub destinations: Destinations,
    /// Whether it was kept from the host.
    pub held: bool,
}

/// A request of the server to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The call in whose result it stands (2026-07-28).
    pub call: Option<Digest>,
    /// Bytes of the parameters.
    pub size: u64,
    /// Of their strings.
    pub marks: Marks,
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    /// A tool; see [`name`].
    Tool(String),
    /// Another method.
    Method(String),
}

impl Called {
    /// The tool, if it is one.
    pub fn tool(&self) -> Option<&str> {
        match self {
            Self::Tool(tool) => Some(tool),
            Self::Method(_) => None,
        }
    }
}

/// Hosts and domains: lower case, ascending, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Destinations {
    names: Vec<String>,
    more: bool,
}

impl Destinations {
    /// Of these names, in any order and case. What is empty or too long to be a host's name is cut, and counts as one more.
    pub fn of(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let (mut kept, mut more) = (std::collections::BTreeSet::new(), false);
        for name in names {
            let name = name.as_ref().to_lowercase();
            if is_destination(&name) {
                kept.insert(name);
            } else {
                more = true;
            }
            // The first in order stay, whatever order they came in.
            if kept.len() > MAX_DESTINATIONS {
                kept.pop_last();
                more = true;
            }
        }
        Self { names: kept.into_iter().collect(), more }
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether there were more.
    pub fn more(&self) -> bool {
        self.more
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && !self.more
    }
}

/// Says nothing of letters beyond ASCII, and of no blank but the one: what is a letter or a blank changes with each version of
/// Unicode, and an entry that was one must stay one.
fn is_destination(name: &str) -> bool {
    let is_out = |c: char| c.is_control() || c == ' ' || c.is_ascii_uppercase();
    !name.is_empty() && name.len() <= MAX_DESTINATION && !name.chars().any(is_out)
}

/// Who sent a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// The host.
    Client,
    /// The server.
    Server,
}

impl From {
    /// The word in the event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Untrusted text, fit for an event: at most [`MAX_TEXT`] characters, those that control put as U+FFFD.
pub fn text(untrusted: &str) -> String {
    cut(untrusted, MAX_TEXT)
}

/// A pointer into arguments, fit for an event.
pub fn pointer(untrusted: &str) -> String {
    cut(untrusted, MAX_POINTER)
}

/// The name of a tool or method as an event has it: itself where it is a name, else cut, with its digest behind, so that two
/// never become one.
pub fn name(untrusted: &str) -> String {
    if crate::claims::is_name(untrusted) {
        return untrusted.to_owned();
    }
    // What a server calls a tool may be longer than a name by its bytes and shorter than a text by its characters.
    let mut short = text(untrusted);
    while short.len() > MAX_NAME - 44 {
        short.pop();
    }
    format!("{short}~{}", Digest::of(untrusted))
}

fn cut(untrusted: &str, characters: usize) -> String {
    untrusted.chars().take(characters).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether this can be a reason's code or a rule's name: 1 to 64 lower-case letters, digits and hyphens.
pub fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
}

#[cfg(test)]
mod tests;
