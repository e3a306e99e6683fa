//! What the agent was given while it runs: the tools that its servers listed, and what was sent to its model.
//!
//! Neither stands on disk. Both are seen as they pass, and count from the next call on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attest_core::digest::Digest;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_measure::{ToolEntry, ToolManifest};

use crate::config::Measure;

/// What was seen last of everything.
#[derive(Debug, Default)]
pub struct Given(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// By the connection that a server's messages come over.
    tools: BTreeMap<u64, Vec<ToolEntry>>,
    turn: Turn,
    /// The connection that told it.
    teller: u64,
    /// Counts changes.
    generation: u64,
}

/// The components that a request to the model shows; `None` for one that it does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// The system prompt.
    pub system_prompt: Option<Digest>,
    /// Provider and model.
    pub model_ref: Option<Digest>,
    /// Settings and tools.
    pub config: Option<Digest>,
}

impl Turn {
    fn of(&self, component: Component) -> Option<Digest> {
        match component {
            Component::SystemPrompt => self.system_prompt,
            Component::ModelRef => self.model_ref,
            Component::Config => self.config,
            _ => None,
        }
    }
}

impl Given {
    /// What the server behind this connection lists now.
    pub fn tools(&self, connection: u64, tools: Vec<ToolEntry>) {
        let mut seen = self.seen();
        if seen.tools.get(&connection) != Some(&tools) {
            seen.tools.insert(connection, tools);
            seen.generation += 1;
        }
    }

    /// The connection is gone, and with it its server, or the relay whose turn was the last.
    pub fn gone(&self, connection: u64) {
        let mut seen = self.seen();
        let mut changed = seen.tools.remove(&connection).is_some();
        if seen.teller == connection && seen.turn != Turn::default() {
            seen.turn = Turn::default();
            changed = true;
        }
        seen.generation += u64::from(changed);
    }

    /// A request to the model.
    pub fn turn(&self, connection: u64, turn: Turn) {
        let mut seen = self.seen();
        seen.teller = connection;
        if seen.turn != turn {
            seen.turn = turn;
            seen.generation += 1;
        }
    }

    /// How often it changed.
    pub fn generation(&self) -> u64 {
        self.seen().generation
    }

    /// What of it is to be measured, and how often it had changed by then. What nobody showed yet is absent.
    pub fn measurements(&self, measure: &Measure) -> (u64, Vec<Measurement>) {
        let seen = self.seen();
        let in_use = |component, digest| Measurement { component, digest, grade: Grade::InUse };
        let sent = measure.turns.iter().filter_map(|from| {
            let component = Component::from(*from);
            Some(in_use(component, seen.turn.of(component)?))
        });
        let tools = (measure.tools && !seen.tools.is_empty()).then(|| {
            let all = seen.tools.values().flatten().cloned();
            in_use(Component::ToolManifest, ToolManifest::of(all).digest)
        });
        (seen.generation, sent.chain(tools).collect())
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FromTurns;

    fn tool(server: &str, description: &str) -> ToolEntry {
        let (description, schema) = (Digest::of(description), Digest::of("null"));
        ToolEntry { server: server.into(), name: "read".into(), description, schema }
    }

    fn measure() -> Measure {
        Measure { tools: true, turns: vec![FromTurns::SystemPrompt], ..Measure::default() }
    }

    #[test]
    fn tools_are_those_of_all_servers_and_go_with_theirs() {
        let given = Given::default();
        assert_eq!(given.measurements(&measure()).1, []);
        given.tools(1, vec![tool("a", "x")]);
        let one = given.measurements(&measure());
        given.tools(2, vec![tool("b", "x")]);
        let both = given.measurements(&measure());
        assert_ne!(one.1, both.1);
        given.gone(2);
        assert_eq!(given.measurements(&measure()).1, one.1);
        given.tools(1, vec![tool("a", "y")]);
        assert_ne!(given.measurements(&measure()).1, one.1);
        assert_eq!(given.measurements(&Measure::default()).1, []);
    }

    #[test]
    fn only_what_differs_counts_as_a_change() {
        let given = Given::default();
        given.tools(1, vec![tool("a", "x")]);
        let before = given.generation();
        given.tools(1, vec![tool("a", "x")]);
        given.gone(7);
        given.turn(1, Turn::default());
        assert_eq!(given.generation(), before);
        given.turn(1, Turn { system_prompt: Some(Digest::of("p")), ..Turn::default() });
        assert_eq!(given.generation(), before + 1);
    }

    #[test]
    fn a_turn_goes_with_the_relay_that_told_it() {
        let given = Given::default();
        let turn = Turn { system_prompt: Some(Digest::of("p")), ..Turn::default() };
        given.turn(1, turn);
        given.turn(2, turn);
        given.gone(1);
        assert_eq!(given.measurements(&measure()).1.len(), 1, "the other relay told the last one");
        given.gone(2);
        assert_eq!(given.measurements(&measure()).1, []);
    }

    #[test]
    fn of_a_turn_only_the_chosen_components_are_measured() {
        let given = Given::default();
        let digest = Digest::of("p");
        given.turn(1, Turn { system_prompt: Some(digest), model_ref: Some(digest), config: None });
        let wanted = Measurement { component: Component::SystemPrompt, digest, grade: Grade::InUse };
        assert_eq!(given.measurements(&measure()).1, [wanted]);
    }
}
