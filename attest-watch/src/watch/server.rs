//! What a server says: who it is, what tools it has, what it asks.

use attest_core::alert::MAX_ENTRIES;
use attest_core::digest::Digest;
use attest_core::seen::{Asked, Called, Server, Tool};

use super::Seen;
use super::memory::{Listed, Memory, key};
use crate::rules::Rules;

impl Seen<'_> {
    pub(super) fn server(&mut self, rules: &Rules, memory: &mut Memory, server: &Server) {
        let name = self.event.server.as_str();
        let is_new = memory.servers.get(name).is_none();
        memory.servers.get_or_insert_mut_ref(name, Default::default);
        if is_new && memory.calls >= u64::from(rules.first_seen.after) {
            self.find(&rules.first_seen, [], None, None, || format!("the server {name} for the first time"));
        }
        if let Some(marks) = rules.hidden_instructions.marks.among(&server.marks) {
            self.find(&rules.hidden_instructions, [], None, None, || {
                format!("the instructions of the server {name} have: {marks}")
            });
        }
        memory.suspect(&key(name, ""), self.index, server.marks);
    }

    pub(super) fn tool(&mut self, rules: &Rules, memory: &mut Memory, tool: &Tool) {
        let (name, server) = (tool.tool.as_str(), self.event.server.as_str());
        let key = key(server, name);
        let listed = Listed { index: self.index, description: tool.description, schema: tool.schema, can: tool.can };
        let known = memory.tools.get_or_insert_mut(key.clone(), Default::default);
        let (before, called) = (known.listed.replace(listed), known.calls > 0);
        match before {
            Some(before) if before.description != tool.description || before.schema != tool.schema => {
                let what = match (before.description == tool.description, before.schema == tool.schema) {
                    (false, false) => "description and schema",
                    (false, true) => "description",
                    _ => "schema",
                };
                self.find(&rules.tool_changed, [before.index], Some(name), None, || {
                    format!("{what} of the tool {name} of {server} changed")
                });
            }
            None if !called && memory.calls >= u64::from(rules.first_seen.after) => {
                self.find(&rules.first_seen, [], Some(name), None, || {
                    format!("the tool {name} of {server} for the first time")
                });
            }
            _ => {}
        }
        if let Some(marks) = rules.hidden_instructions.marks.among(&tool.marks) {
            self.find(&rules.hidden_instructions, [], Some(name), None, || {
                format!("the description of the tool {name} of {server} has: {marks}")
            });
        }
        memory.suspect(&key, self.index, tool.marks);
    }

    pub(super) fn asked(&mut self, rules: &Rules, asked: &Asked) {
        let (method, server) = (asked.method.as_str(), self.event.server.as_str());
        if rules.server_asks.methods.iter().any(|listed| listed == method) {
            self.find(&rules.server_asks, [], None, asked.call, || format!("the server {server} asks for {method}"));
        }
        if let Some(marks) = rules.hidden_instructions.marks.among(&asked.marks) {
            self.find(&rules.hidden_instructions, [], None, asked.call, || {
                format!("a request for {method} of the server {server} has: {marks}")
            });
        }
    }

    pub(super) fn refused(
        &mut self,
        rules: &Rules,
        memory: &mut Memory,
        call: Option<Digest>,
        called: &Called,
        reason: &str,
    ) {
        let server = self.event.server.as_str();
        self.find(&rules.refused, [], called.tool(), call, || format!("a call of {server} was refused: {reason}"));
        let known = memory.servers.get_or_insert_mut_ref(server, Default::default);
        known.denied = known.denied.saturating_add(1);
        if known.denials.len() == MAX_ENTRIES {
            known.denials.pop_front();
        }
        known.denials.push_back(self.index);
        if known.denied % rules.denial_streak.after == 0 {
            let (denied, entries) = (known.denied, known.denials.clone());
            self.find(&rules.denial_streak, entries, called.tool(), call, || {
                format!("{denied} calls of {server} in a row were refused")
            });
        }
    }
}
