//! Events for the cases.

use attest_core::digest::{Digest, Jti};
use attest_core::entry::Status;
use attest_core::seen::*;
use attest_watch::{Finding, Rules, Watch};

/// A log that grows by a second and an entry with each event.
pub struct Log {
    pub watch: Watch,
    pub index: u64,
    pub time: u64,
    pub entries: Vec<(u64, Vec<u8>)>,
}

impl Log {
    pub fn new(rules: &str) -> Self {
        let watch = Watch::new(Rules::parse(rules).unwrap());
        Self { watch, index: 1, time: 1_800_000_000_000, entries: Vec::new() }
    }

    pub fn at(&mut self, server: &str, what: What) -> Vec<Finding> {
        let event = Event { session: Jti([5; 16]), server: server.to_owned(), what };
        self.entries.push((self.index, attest_core::entry::Entry::seen(event.clone(), self.time).to_bytes()));
        let findings = self.watch.see(self.index, self.time, &event);
        for finding in &findings {
            assert!(finding.is_sound(), "{finding:?}");
            assert_eq!(finding.entries.last(), Some(&self.index));
            assert_eq!((finding.session, &*finding.server), (Jti([5; 16]), server));
        }
        self.index += 1;
        self.time += 1_000;
        findings
    }

    /// The findings of this rule.
    pub fn of(&mut self, rule: &str, server: &str, what: What) -> Vec<Finding> {
        let mut findings = self.at(server, what);
        findings.retain(|finding| finding.rule == rule);
        findings
    }
}

pub fn marks(marks: &[Mark]) -> Marks {
    let mut all = Marks::default();
    marks.iter().for_each(|mark| all.add(*mark));
    all
}

pub fn tool(name: &str, description: &str, can: Can, of: &[Mark]) -> What {
    let (description, schema) = (Digest::of(description), Digest::of("schema"));
    What::Tool(Tool { tool: name.to_owned(), description, schema, marks: marks(of), can })
}

pub const OUT: Can = Can { danger: false, inward: false, out: true };
pub const DANGER: Can = Can { danger: true, inward: false, out: false };
pub const NONE: Can = Can { danger: false, inward: false, out: false };

pub fn call(n: u64, tool: &str, to: &[&str]) -> Call {
    Call {
        call: Digest::of(n.to_string()),
        called: Called::Tool(tool.to_owned()),
        arguments: Digest::of("arguments"),
        size: 10,
        shape: Digest::of("shape"),
        outside: Vec::new(),
        destinations: Destinations::of(to),
        marks: Marks::default(),
        notification: false,
    }
}

pub fn calls(n: u64, tool: &str, to: &[&str]) -> What {
    What::Call(Box::new(call(n, tool, to)))
}

pub fn answer(n: u64, of: &[Mark], to: &[&str]) -> What {
    What::Answer(Box::new(Answer {
        call: Digest::of(n.to_string()),
        status: Status::Result,
        size: 10,
        latency: 1_000,
        result: None,
        marks: marks(of),
        destinations: Destinations::of(to),
        held: false,
    }))
}

pub fn refused(n: u64) -> What {
    let call = Some(Digest::of(n.to_string()));
    What::Refused { call, called: Called::Tool("read".to_owned()), reason: "replay".to_owned() }
}
