//! The members of an event, for its canonical form.

use serde::{Serialize, Serializer};

use super::{Answer, Asked, Call, Called, Can, Destinations, Event, Marks, Read, Server, Tool, What};
use crate::b64;
use crate::digest::Digest;

/// The value of a member.
#[derive(Serialize)]
#[serde(untagged)]
enum Member<'e> {
    Text(&'e str),
    Own(String),
    Number(u64),
    True(bool),
    Marks(Marks),
    Texts(&'e [String]),
    Words(Vec<&'static str>),
}

/// The members so far; what is empty is left out.
struct Members<'e>(Vec<(&'static str, Member<'e>)>);

impl<'e> Members<'e> {
    fn put(&mut self, name: &'static str, member: Member<'e>) -> &mut Self {
        self.0.push((name, member));
        self
    }

    fn text(&mut self, name: &'static str, text: &'e str) -> &mut Self {
        self.put(name, Member::Text(text))
    }

    fn number(&mut self, name: &'static str, number: u64) -> &mut Self {
        self.put(name, Member::Number(number))
    }

    fn digest(&mut self, name: &'static str, digest: impl Into<Option<Digest>>) -> &mut Self {
        if let Some(digest) = digest.into() {
            self.put(name, Member::Own(digest.to_b64()));
        }
        self
    }

    fn maybe(&mut self, name: &'static str, text: &'e Option<String>) -> &mut Self {
        if let Some(text) = text {
            self.text(name, text);
        }
        self
    }

    fn if_true(&mut self, name: &'static str, is: bool) -> &mut Self {
        if is {
            self.put(name, Member::True(true));
        }
        self
    }

    fn texts(&mut self, name: &'static str, texts: &'e [String]) -> &mut Self {
        if !texts.is_empty() {
            self.put(name, Member::Texts(texts));
        }
        self
    }

    fn words(&mut self, name: &'static str, words: Vec<&'static str>) -> &mut Self {
        if !words.is_empty() {
            self.put(name, Member::Words(words));
        }
        self
    }

    fn marks(&mut self, marks: &Marks) -> &mut Self {
        if !marks.is_empty() {
            self.put("marks", Member::Marks(*marks));
        }
        self
    }

    fn destinations(&mut self, destinations: &'e Destinations) -> &mut Self {
        self.texts("destinations", &destinations.names).if_true("more", destinations.more)
    }

    fn called(&mut self, called: &'e Called) -> &mut Self {
        match called {
            Called::Tool(tool) => self.text("tool", tool),
            Called::Method(method) => self.text("method", method),
        }
    }

    fn what(&mut self, what: &'e What) -> &mut Self {
        self.text("what", what.as_str());
        match what {
            What::Server(Server { name, version, era, how, host, key, marks }) => self
                .maybe("name", name)
                .maybe("version", version)
                .maybe("era", era)
                .digest("how", *how)
                .maybe("host", host)
                .digest("key", *key)
                .marks(marks),
            What::Tool(Tool { tool, description, schema, marks, can }) => self
                .text("tool", tool)
                .digest("description", *description)
                .digest("schema", *schema)
                .marks(marks)
                .words("can", can.words()),
            What::ToolGone { tool } => self.text("tool", tool),
            What::Call(call) => {
                let Call { call, called, arguments, size, shape, outside, destinations, marks, notification } = &**call;
                self.digest("call", *call)
                    .called(called)
                    .digest("arguments", *arguments)
                    .number("size", *size)
                    .digest("shape", *shape)
                    .texts("outside", outside)
                    .destinations(destinations)
                    .marks(marks)
                    .if_true("notification", *notification)
            }
            What::Read(read) => {
                let Read { call, method, name, size, destinations } = &**read;
                self.digest("call", *call)
                    .text("method", method)
                    .digest("name", *name)
                    .number("size", *size)
                    .destinations(destinations)
            }
            What::Answer(answer) => {
                let Answer { call, status, size, latency, result, marks, destinations, held } = &**answer;
                self.digest("call", *call)
                    .text("status", status.as_str())
                    .number("size", *size)
                    .number("latency", *latency)
                    .digest("result", *result)
                    .marks(marks)
                    .destinations(destinations)
                    .if_true("held", *held)
            }
            What::Asked(Asked { method, call, size, marks }) => {
                self.text("method", method).digest("call", *call).number("size", *size).marks(marks)
            }
            What::Refused { call, called, reason } => self.digest("call", *call).called(called).text("reason", reason),
            What::State(components) => {
                self.words("components", components.iter().map(|component| component.as_str()).collect())
            }
            What::Opaque { from, size } => self.text("from", from.as_str()).number("size", *size),
        }
    }
}

impl What {
    /// The word in the event.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Server(_) => "server",
            Self::Tool(_) => "tool",
            Self::ToolGone { .. } => "tool-gone",
            Self::Call(_) => "call",
            Self::Read(_) => "read",
            Self::Answer(_) => "answer",
            Self::Asked(_) => "asked",
            Self::Refused { .. } => "refused",
            Self::State(_) => "state",
            Self::Opaque { .. } => "opaque",
        }
    }
}

impl Can {
    /// The words for what it can do, in order.
    pub fn words(self) -> Vec<&'static str> {
        let all = [(self.danger, "danger"), (self.inward, "in"), (self.out, "out")];
        all.into_iter().filter_map(|(can, word)| can.then_some(word)).collect()
    }
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = Members(Vec::with_capacity(16));
        let session = Member::Own(b64::encode(self.session.0));
        members.put("session", session).text("server", &self.server).what(&self.what);
        serializer.collect_map(members.0)
    }
}
