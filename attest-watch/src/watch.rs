//! The rules at work.

mod call;
mod memory;
mod server;

use attest_core::alert::{MAX_ENTRIES, MAX_REASON};
use attest_core::digest::Digest;
use attest_core::seen::{Event, What};

use crate::Finding;
use crate::rules::{Rule, Rules};
use memory::Memory;

/// Takes events in the log's order, and answers findings. The same events give the same findings, whenever they come.
///
/// What it remembers is bounded: of the tools, servers, destinations and open calls that were longest out of use it forgets
/// that it saw them.
#[derive(Debug)]
pub struct Watch {
    rules: Rules,
    memory: Memory,
}

impl Watch {
    /// With nothing seen yet.
    pub fn new(rules: Rules) -> Self {
        Self { rules, memory: Memory::default() }
    }

    /// The rules.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// The next event: the index of its entry and the entry's time, in milliseconds since 1970.
    pub fn see(&mut self, index: u64, time: u64, event: &Event) -> Vec<Finding> {
        let Self { rules, memory } = self;
        let mut at = Seen { index, time, event, findings: Vec::new() };
        at.clock(rules, memory);
        match &event.what {
            What::Server(server) => at.server(rules, memory, server),
            What::Tool(tool) => at.tool(rules, memory, tool),
            What::ToolGone { tool } => memory.gone(&event.server, tool),
            What::Call(call) => at.call(rules, memory, call),
            What::Read(read) => at.read(rules, memory, read),
            What::Answer(answer) => at.answer(rules, memory, answer),
            What::Asked(asked) => at.asked(rules, asked),
            What::Refused { call, called, reason } => at.refused(rules, memory, *call, called, reason),
            What::State(components) => {
                let names: Vec<&str> = components.iter().map(|component| component.as_str()).collect();
                at.find(&rules.state_drift, [], None, None, || {
                    format!("the agent is not what was measured before: {}", names.join(", "))
                });
            }
            What::Opaque { from, size } => at.find(&rules.opaque, [], None, None, || {
                format!("a message of {size} bytes from the {} has no canonical form", from.as_str())
            }),
            _ => {}
        }
        at.findings
    }
}

/// An event, and what was found in it so far.
struct Seen<'e> {
    index: u64,
    time: u64,
    event: &'e Event,
    findings: Vec<Finding>,
}

impl Seen<'_> {
    /// A finding of `rule`, if that is on; it rests on this entry and on `others`.
    fn find<R: Rule>(
        &mut self,
        rule: &R,
        others: impl IntoIterator<Item = u64>,
        tool: Option<&str>,
        call: Option<Digest>,
        reason: impl FnOnce() -> String,
    ) {
        let Some((severity, action)) = rule.on() else { return };
        let mut entries: Vec<u64> = others.into_iter().filter(|index| *index < self.index).collect();
        entries.sort_unstable();
        entries.dedup();
        // The latest of the others, and this one.
        entries.drain(..entries.len().saturating_sub(MAX_ENTRIES - 1));
        entries.push(self.index);
        let mut reason = reason();
        reason.truncate(reason.floor_char_boundary(MAX_REASON));
        self.findings.push(Finding {
            action,
            call,
            entries,
            reason,
            rule: R::NAME.to_owned(),
            server: self.event.server.clone(),
            session: self.event.session,
            severity,
            tool: tool.map(str::to_owned),
        });
    }

    fn clock(&mut self, rules: &Rules, memory: &mut Memory) {
        let rule = &rules.clock_jump;
        if let Some((before, index)) = memory.last {
            let back = before.saturating_sub(self.time) / 1_000;
            let ahead = self.time.saturating_sub(before) / 1_000;
            if back > rule.back {
                self.find(rule, [index], None, None, || format!("the time went back by {back} s"));
            } else if ahead > rule.ahead.get() {
                self.find(rule, [index], None, None, || format!("the time went ahead by {ahead} s"));
            }
        }
        memory.last = Some((self.time, self.index));
    }
}

#[cfg(test)]
mod tests;
