//! What the host calls, and what it is answered.

use attest_core::entry::Status;
use attest_core::seen::{Answer, Call, Can, Destinations, Read};

use super::Seen;
use super::memory::{Marked, Memory, Open, key, too_many};
use crate::rules::{Kinds, Rule, Rules};

impl Seen<'_> {
    pub(super) fn call(&mut self, rules: &Rules, memory: &mut Memory, call: &Call) {
        let server = self.event.server.as_str();
        let (tool, id) = (call.called.tool(), Some(call.call));
        let mut can = Can { out: !call.destinations.is_empty(), ..Can::default() };
        let (mut listed_at, mut unlike, mut often) = (None, false, None);
        if let Some(tool) = tool {
            let known = memory.tools.get_or_insert_mut(key(server, tool), Default::default);
            // Of a tool that nobody saw listed nothing is known, least of all that it is harmless.
            can.out |= known.listed.is_none_or(|listed| listed.can.out);
            can.danger = known.listed.is_none_or(|listed| listed.can.danger);
            listed_at = known.listed.map(|listed| listed.index);
            unlike = known.is_new(&call.shape) && known.calls >= rules.unlike_before.after;
            let first_call = known.listed.is_none() && known.calls == 0;
            known.calls = known.calls.saturating_add(1);
            let limit = &rules.frequency;
            often = too_many(&mut known.times, self.time, self.index, limit.tool.get(), limit.seconds.get());
            if first_call && memory.calls >= u64::from(rules.first_seen.after) {
                self.find(&rules.first_seen, [], Some(tool), id, || {
                    format!("the tool {tool} of {server} for the first time")
                });
            }
        }
        if !call.outside.is_empty() {
            // Not where: a pointer is made of the arguments' own names.
            let places = call.outside.len();
            self.find(&rules.outside_schema, listed_at, tool, id, || {
                format!("the arguments break the tool's schema in {places} places")
            });
        }
        if unlike {
            let after = rules.unlike_before.after;
            self.find(&rules.unlike_before, [], tool, id, || {
                format!("arguments of a shape that none of the calls before had, of which there were {after} or more")
            });
        }
        if let Some(first) = often {
            let limit = &rules.frequency;
            self.find(limit, [first], tool, id, || {
                format!("more than {} calls of one tool within {} s", limit.tool, limit.seconds)
            });
        }
        self.sent(rules, memory, &call.destinations, tool, id);
        if can.out {
            let rule = &rules.out_after_suspicion;
            self.after_suspicion(rule, (&rule.marks, rule.seconds), "carry data out", memory, tool, id);
        }
        if can.danger {
            let rule = &rules.danger_after_suspicion;
            self.after_suspicion(rule, (&rule.marks, rule.seconds), "do harm", memory, tool, id);
        }
        self.after_poison(rules, memory, &call.destinations, tool, id);
        if !call.notification {
            let open = Open { index: self.index, time: self.time, tool: tool.map(str::to_owned) };
            memory.open.put(call.call, open);
        }
        memory.calls += 1;
    }

    pub(super) fn read(&mut self, rules: &Rules, memory: &mut Memory, read: &Read) {
        let id = Some(read.call);
        self.sent(rules, memory, &read.destinations, None, id);
        self.after_poison(rules, memory, &read.destinations, None, id);
        memory.open.put(read.call, Open { index: self.index, time: self.time, tool: None });
        memory.calls += 1;
    }

    pub(super) fn answer(&mut self, rules: &Rules, memory: &mut Memory, answer: &Answer) {
        let (server, id) = (self.event.server.as_str(), Some(answer.call));
        let open = memory.open.pop(&answer.call);
        let tool = open.as_ref().and_then(|open| open.tool.as_deref());
        if let Some(open) = &open {
            let apart = self.time.saturating_sub(open.time).abs_diff(answer.latency) / 1_000;
            if apart > rules.clock_jump.apart {
                self.find(&rules.clock_jump, [open.index], tool, id, || {
                    format!("between call and answer the clock went {apart} s too far or too little")
                });
            }
        }
        if answer.status == Status::Result
            && let Some(known) = memory.servers.get_mut(server)
        {
            known.denied = 0;
            known.denials.clear();
        }
        if answer.marks.is_empty() {
            return;
        }
        if let Some(marks) = rules.hidden_instructions.marks.among(&answer.marks) {
            let asked = open.as_ref().map(|open| open.index);
            self.find(&rules.hidden_instructions, asked, tool, id, || format!("a result of {server} has: {marks}"));
        }
        // What no rule would look at must not push out what one would. A result that was held never reached the host.
        let wanted =
            [&rules.out_after_suspicion.marks, &rules.danger_after_suspicion.marks, &rules.uses_poisoned.marks];
        let matters = wanted.iter().any(|kinds| kinds.any(&answer.marks));
        if matters && !answer.held {
            memory.mark(Marked {
                index: self.index,
                time: self.time,
                marks: answer.marks,
                destinations: answer.destinations.names().to_vec(),
                calls: 0,
            });
        }
    }

    /// How often, and to whom for the first time.
    fn sent(
        &mut self,
        rules: &Rules,
        memory: &mut Memory,
        destinations: &Destinations,
        tool: Option<&str>,
        id: Option<attest_core::digest::Digest>,
    ) {
        let (server, limit) = (self.event.server.as_str(), &rules.frequency);
        let known = memory.servers.get_or_insert_mut_ref(server, Default::default);
        if let Some(first) = too_many(&mut known.times, self.time, self.index, limit.server.get(), limit.seconds.get())
        {
            self.find(limit, [first], tool, id, || {
                format!("more than {} calls of {server} within {} s", limit.server, limit.seconds)
            });
        }
        for to in destinations.names() {
            let is_new = memory.destinations.get(to).is_none();
            let times = memory.destinations.get_or_insert_mut_ref(to, Default::default);
            let often = too_many(times, self.time, self.index, limit.destination.get(), limit.seconds.get());
            if let Some(first) = often {
                self.find(limit, [first], tool, id, || {
                    format!("more than {} calls that name {to} within {} s", limit.destination, limit.seconds)
                });
            }
            if is_new && memory.calls >= u64::from(rules.first_seen.after) {
                self.find(&rules.first_seen, [], tool, id, || format!("a call names {to} for the first time"));
            }
        }
    }

    /// `marks` and `seconds` of `rule`: what counts as suspicious, and for how long after a result.
    fn after_suspicion<R: Rule>(
        &mut self,
        rule: &R,
        (marks, seconds): (&Kinds, u64),
        can: &str,
        memory: &Memory,
        tool: Option<&str>,
        id: Option<attest_core::digest::Digest>,
    ) {
        let listed = memory.suspects.values().filter(|suspect| marks.any(&suspect.marks));
        let lately = |marked: &&Marked| self.time.saturating_sub(marked.time) / 1_000 <= seconds;
        let results = memory.marked.iter().filter(lately).filter(|marked| marks.any(&marked.marks));
        let mut entries: Vec<u64> = listed.map(|suspect| suspect.index).collect();
        let what = if entries.is_empty() { "result" } else { "description" };
        entries.extend(results.map(|marked| marked.index));
        if !entries.is_empty() {
            self.find(rule, entries, tool, id, || {
                format!("a call that can {can}, after a {what} gave reason to suspect it")
            });
        }
    }

    fn after_poison(
        &mut self,
        rules: &Rules,
        memory: &mut Memory,
        destinations: &Destinations,
        tool: Option<&str>,
        id: Option<attest_core::digest::Digest>,
    ) {
        let rule = &rules.uses_poisoned;
        let (mut entries, mut to) = (Vec::new(), None);
        for marked in memory.marked.iter_mut().filter(|marked| rule.marks.any(&marked.marks)) {
            let follows = marked.calls < rule.calls;
            marked.calls = marked.calls.saturating_add(1);
            let lately = self.time.saturating_sub(marked.time) / 1_000 <= rule.seconds;
            let named = destinations.names().iter().find(|name| lately && marked.destinations.contains(name));
            if follows || named.is_some() {
                entries.push(marked.index);
            }
            to = to.or(named);
        }
        if entries.is_empty() {
            return;
        }
        self.find(rule, entries, tool, id, || match to {
            Some(to) => format!("a call names {to}, which a marked result named before"),
            None => "a call right after a marked result".to_owned(),
        });
    }
}
