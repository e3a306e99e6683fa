//! Messages to events: what passes between one host and one server in one session.
//!
//! No clock and no randomness of its own: who drives it brings both.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use attest_core::digest::{Digest, Salt};
use attest_core::json::Value;
use attest_core::response::Outcome;
use attest_core::seen::{self, Answer, Asked, Call, Called, Can, Destinations, Hints, Read, Server, Tool, What};
use attest_watch::capability::capability;
use attest_watch::scan;
use attest_watch::schema::Schema;
use mcp_relay::{Id, Kind};

/// Whether a request of this method asks for content, other than by calling a tool: what comes back may hold anything.
pub fn is_content(method: &str) -> bool {
    const METHODS: [&str; 6] =
        ["completion/complete", "prompts/get", "resources/read", "resources/subscribe", "tasks/get", "tasks/result"];
    METHODS.contains(&method)
}

/// Most requests that are waited for, of which the oldest go first, and most tools that are remembered: neither side can take
/// memory without end.
const MOST_OPEN: usize = 16_384;
const MOST_TOOLS: usize = 4_096;

/// An event, and what of the message may be kept beside the log.
#[derive(Debug)]
pub struct Draft {
    /// The event.
    pub what: What,
    /// The message's own words; redacted before they are kept.
    pub kept: Option<Kept>,
}

/// Words of a message.
#[derive(Debug)]
pub struct Kept {
    /// The commitment in the event.
    pub commitment: Digest,
    /// Its salt.
    pub salt: Salt,
    /// Arguments, result, error: canonical JSON.
    pub text: Vec<u8>,
}

/// Where two random values and the time come from.
pub trait Moment {
    /// 128 random bits.
    fn salt(&self) -> Salt;
    /// 256 random bits, as the name of a call that has no proof.
    fn name(&self) -> Digest;
    /// Since some moment in the past, by a clock that does not jump.
    fn since(&self) -> Duration;
}

/// Sees both directions of one session. Over HTTP `exchange` keeps apart requests that may have the same id.
#[derive(Default)]
pub struct Observer {
    open: HashMap<(u64, Id), Open>,
    /// The same in the order in which they came, and some that are answered already.
    order: VecDeque<(u64, Id)>,
    tools: BTreeMap<String, Known>,
    /// Names in the pages of the list that is being fetched.
    listing: BTreeSet<String>,
}

/// A request without an answer.
#[derive(Clone, Debug)]
struct Open {
    call: Digest,
    kind: Asks,
    began: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Opening,
    Tools { first: bool },
    Content,
}

/// What the listing of a tool says that it can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// By its words.
    pub can: Can,
    /// By its annotations.
    pub hints: Hints,
}

/// A tool as it was listed last.
struct Known {
    description: Digest,
    schema: Digest,
    checks: Option<Arc<Schema>>,
    listed: Listed,
}

impl Observer {
    /// A message of the host. `call` is the hash of the call's proof, where it has one.
    pub fn client(&mut self, exchange: u64, message: &Value<'_>, call: Option<Digest>, now: &dyn Moment) -> Vec<Draft> {
        let (id, method) = match Kind::of(message) {
            Kind::Request { id, method } => (Some(id), method),
            Kind::Notification { method } => (None, method),
            Kind::Other if message.as_array().is_some() => {
                return vec![opaque(seen::From::Client, message.to_canonical().len() as u64)];
            }
            Kind::Response { .. } | Kind::Other => return Vec::new(),
        };
        let params = message.as_object().and_then(|m| m.get("params"));
        let call_name = call.unwrap_or_else(|| now.name());
        let (kind, draft) = match method {
            "initialize" | "server/discover" => (Asks::Opening, None),
            "tools/list" => (Asks::Tools { first: member(params, "cursor").is_none() }, None),
            "tools/call" => (Asks::Content, Some(self.call(call_name, id.is_none(), None, params, now))),
            _ if call.is_some() => (Asks::Content, Some(self.call(call_name, id.is_none(), Some(method), params, now))),
            _ if is_content(method) => (Asks::Content, Some(read(call_name, method, params, now))),
            _ => return Vec::new(),
        };
        if let Some(id) = id {
            self.wait((exchange, id), Open { call: call_name, kind, began: now.since() });
        }
        draft.into_iter().collect()
    }

    /// The tools as they were listed last: name, digest of the description, digest of the input schema.
    pub fn tools(&self) -> impl Iterator<Item = (&str, Digest, Digest)> {
        self.tools.iter().map(|(name, known)| (name.as_str(), known.description, known.schema))
    }

    /// What the listing of this tool says that it can do; `None` where it was not listed.
    pub fn listed(&self, tool: &str) -> Option<Listed> {
        self.tools.get(tool).map(|known| known.listed)
    }

    fn wait(&mut self, key: (u64, Id), open: Open) {
        self.open.insert(key.clone(), open);
        self.order.push_back(key);
        while self.open.len() > MOST_OPEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.open.remove(&oldest);
        }
        // Those that are answered stay behind, and are swept out once they are as many.
        if self.order.len() > 2 * MOST_OPEN {
            let open = &self.open;
            self.order.retain(|key| open.contains_key(key));
        }
    }

    /// A message of the server, `None` where it has no canonical form; `line` is its text.
    pub fn server(&mut self, exchange: u64, line: &[u8], message: Option<&Value<'_>>, now: &dyn Moment) -> Vec<Draft> {
        let size = line.len() as u64;
        let Some(message) = message else {
            let mut drafts = vec![opaque(seen::From::Server, size)];
            if let Some(open) = Id::of_opaque_answer(line).and_then(|id| self.open.remove(&(exchange, id)))
                && open.kind == Asks::Content
            {
                drafts.push(answer(&open, None, size, now));
            }
            return drafts;
        };
        // A batch of JSON-RPC, which MCP dropped in 2025-06-18 and some still speak.
        if message.as_array().is_some() {
            return vec![opaque(seen::From::Server, size)];
        }
        // Told as leniently as a client would, which may take what is none by the letter.
        let object = message.as_object();
        match object.and_then(|object| object.get("method")).and_then(Value::as_str) {
            Some("ping") => Vec::new(),
            Some(method) if object.is_some_and(|object| object.get("id").is_some()) => {
                vec![asked(method, message, None)]
            }
            Some(_) => Vec::new(),
            None => match Id::of_answer(message).and_then(|id| self.open.remove(&(exchange, id))) {
                Some(open) => self.answered(&open, message, size, now),
                None => Vec::new(),
            },
        }
    }

    fn call(
        &self,
        call: Digest,
        notification: bool,
        method: Option<&str>,
        params: Option<&Value<'_>>,
        now: &dyn Moment,
    ) -> Draft {
        let none = Value::Object(Default::default());
        // Of another method than a tool's call, everything it says.
        let arguments = if method.is_some() { params } else { member(params, "arguments") }.unwrap_or(&none);
        let tool = member(params, "name").and_then(Value::as_str).unwrap_or_default();
        let salt = now.salt();
        let text = arguments.to_canonical();
        let commitment = Digest::salted(&salt, &text);
        let checks = self.tools.get(tool).filter(|_| method.is_none()).and_then(|known| known.checks.as_deref());
        let found = scan::value(arguments);
        let called = method.map_or_else(|| Called::Tool(seen::name(tool)), |m| Called::Method(seen::name(m)));
        let what = What::Call(Box::new(Call {
            call,
            called,
            arguments: commitment,
            size: text.len() as u64,
            shape: scan::shape(arguments),
            outside: checks.map(|schema| schema.outside(arguments)).unwrap_or_default(),
            destinations: found.destinations,
            marks: found.marks,
            notification,
        }));
        Draft { what, kept: Some(Kept { commitment, salt, text }) }
    }

    fn answered(&mut self, open: &Open, message: &Value<'_>, size: u64, now: &dyn Moment) -> Vec<Draft> {
        let result = message.as_object().and_then(|m| m.get("result"));
        let mut drafts = match open.kind {
            Asks::Opening => result.map(server).into_iter().collect(),
            Asks::Tools { first } => self.list(first, result),
            Asks::Content => vec![answer(open, Some(message), size, now)],
        };
        // 2026-07-28: what the server asks of the client stands in a result.
        if let Some(asks) = member(result, "inputRequests").and_then(Value::as_object) {
            let method = |ask: &Value<'_>| ask.as_object()?.get("method")?.as_str().map(str::to_owned);
            drafts.extend(asks.iter().filter_map(|(_, ask)| Some(asked(&method(ask)?, ask, Some(open.call)))));
        }
        drafts
    }

    fn list(&mut self, first: bool, result: Option<&Value<'_>>) -> Vec<Draft> {
        let Some(tools) = member(result, "tools").and_then(Value::as_array) else { return Vec::new() };
        if first {
            self.listing.clear();
        }
        let mut drafts = Vec::new();
        for tool in tools {
            let Some(name) = member(Some(tool), "name").and_then(Value::as_str) else { continue };
            let description = member(Some(tool), "description").and_then(Value::as_str).unwrap_or_default();
            let none = Value::Null;
            let input = member(Some(tool), "inputSchema").unwrap_or(&none);
            let annotations = member(Some(tool), "annotations");
            let can = capability(name, description, Some(input), annotations);
            let listed = Listed { can, hints: annotations.map(Hints::of).unwrap_or_default() };
            let (description, schema) = (Digest::of(description), Digest::of(input.to_canonical()));
            if self.listing.len() < MOST_TOOLS {
                self.listing.insert(name.to_owned());
            }
            let known = self.tools.get_mut(name);
            let is_known = known.is_some();
            if let Some(known) = known {
                // Annotations can change alone.
                known.listed = listed;
                if known.description == description && known.schema == schema {
                    continue;
                }
            }
            if is_known || self.tools.len() < MOST_TOOLS {
                // A schema that cannot be used checks nothing; that it is odd shows in no event.
                let checks = Schema::new(input).ok().map(Arc::new);
                self.tools.insert(name.to_owned(), Known { description, schema, checks, listed });
            }
            let what = Tool { tool: seen::name(name), description, schema, marks: scan::value(tool).marks, can };
            drafts.push(Draft { what: What::Tool(what), kept: Some(whole(tool, description)) });
        }
        if member(result, "nextCursor").is_none() {
            let gone: Vec<String> = self.tools.keys().filter(|name| !self.listing.contains(*name)).cloned().collect();
            for name in gone {
                self.tools.remove(&name);
                drafts.push(Draft { what: What::ToolGone { tool: seen::name(&name) }, kept: None });
            }
        }
        drafts
    }
}

fn member<'v, 'a>(value: Option<&'v Value<'a>>, name: &str) -> Option<&'v Value<'a>> {
    value?.as_object()?.get(name)
}

/// A tool's own words, under the digest of its description: a digest that needs no salt, since whoever asks the server reads
/// the same.
fn whole(tool: &Value<'_>, description: Digest) -> Kept {
    Kept { commitment: description, salt: Salt([0; 16]), text: tool.to_canonical() }
}

fn read(call: Digest, method: &str, params: Option<&Value<'_>>, now: &dyn Moment) -> Draft {
    let salt = now.salt();
    let none = Value::Null;
    let params = params.unwrap_or(&none);
    let name = ["uri", "name", "taskId", "ref"].iter().find_map(|name| member(Some(params), name)).unwrap_or(&none);
    let commitment = Digest::salted(&salt, &name.to_canonical());
    let text = params.to_canonical();
    let what = What::Read(Box::new(Read {
        call,
        method: seen::name(method),
        name: commitment,
        size: text.len() as u64,
        destinations: scan::value(params).destinations,
    }));
    Draft { what, kept: Some(Kept { commitment, salt, text }) }
}

fn answer(open: &Open, message: Option<&Value<'_>>, size: u64, now: &dyn Moment) -> Draft {
    let salt = now.salt();
    let outcome = Outcome::of(message, &salt);
    let said = message.and_then(Value::as_object).and_then(|m| m.get("result").or_else(|| m.get("error")));
    let found = said.map(scan::value).unwrap_or_default();
    let destinations = if found.marks.is_empty() { Destinations::default() } else { found.destinations };
    let what = What::Answer(Box::new(Answer {
        call: open.call,
        status: outcome.status,
        size,
        latency: u64::try_from(now.since().saturating_sub(open.began).as_millis()).unwrap_or(u64::MAX),
        result: outcome.digest,
        marks: found.marks,
        destinations,
        held: false,
    }));
    let kept = said.zip(outcome.digest).map(|(said, commitment)| Kept { commitment, salt, text: said.to_canonical() });
    Draft { what, kept }
}

fn opaque(from: seen::From, size: u64) -> Draft {
    Draft { what: What::Opaque { from, size }, kept: None }
}

fn asked(method: &str, message: &Value<'_>, call: Option<Digest>) -> Draft {
    let none = Value::Null;
    let params = member(Some(message), "params").unwrap_or(&none);
    let size = params.to_canonical().len() as u64;
    let what = Asked { method: seen::name(method), call, size, marks: scan::value(params).marks };
    Draft { what: What::Asked(what), kept: None }
}

fn server(result: &Value<'_>) -> Draft {
    let info = member(Some(result), "serverInfo");
    let text = |value: Option<&Value<'_>>| value.and_then(Value::as_str).map(seen::text);
    let era = member(Some(result), "protocolVersion").or_else(|| {
        member(Some(result), "supportedVersions").and_then(Value::as_array).and_then(|versions| versions.first())
    });
    let marks = member(Some(result), "instructions").map(|text| scan::value(text).marks).unwrap_or_default();
    let server = Server {
        name: text(member(info, "name")),
        version: text(member(info, "version")),
        era: text(era),
        marks,
        ..Server::default()
    };
    Draft { what: What::Server(server), kept: None }
}

#[cfg(test)]
#[path = "observer_tests.rs"]
mod tests;
