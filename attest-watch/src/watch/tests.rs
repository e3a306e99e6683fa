//! However much a server says, what is remembered of it has an end.

use attest_core::digest::Jti;
use attest_core::entry::Status;
use attest_core::seen::{Answer, Asked, Call, Called, Can, Destinations, Mark, Marks, Server, Tool};

use super::memory::{DESTINATIONS, MARKED, OPEN, SERVERS, SHAPES, SUSPECTS, TOOLS};
use super::*;
use crate::rules::MAX_FREQUENCY;

/// Well past every bound.
const MANY: u64 = 5_000;

struct Hostile {
    watch: Watch,
    index: u64,
    findings: usize,
}

impl Hostile {
    fn says(&mut self, server: &str, what: What) {
        let event = Event { session: Jti([1; 16]), server: server.to_owned(), what };
        self.index += 1;
        // All within one second, so that no time of a call is ever old.
        let found = self.watch.see(self.index, 1_800_000_000_000, &event);
        assert!(found.iter().all(Finding::is_sound), "{found:?}");
        self.findings += found.len();
    }
}

fn addressed() -> Marks {
    let mut marks = Marks::default();
    marks.add(Mark::Addressed);
    marks
}

fn tool(n: u64) -> What {
    let can = Can { danger: true, inward: true, out: true };
    let (description, schema) = (Digest::of(n.to_be_bytes()), Digest::of("schema"));
    What::Tool(Tool { tool: format!("t{n}"), description, schema, marks: addressed(), can })
}

fn call(n: u64, tool: &str) -> What {
    let names: Vec<String> = (0..3).map(|host| format!("h{n}-{host}.example")).collect();
    What::Call(Box::new(Call {
        call: Digest::of(n.to_be_bytes()),
        called: Called::Tool(tool.to_owned()),
        arguments: Digest::of("arguments"),
        size: 10,
        shape: Digest::of(n.to_le_bytes()),
        outside: vec!["/a".to_owned()],
        destinations: Destinations::of(names),
        marks: addressed(),
        notification: false,
    }))
}

/// An answer to a call that nobody saw, so that those which were seen stay open.
fn answer(n: u64) -> What {
    What::Answer(Box::new(Answer {
        call: Digest::of(format!("never {n}")),
        status: Status::Error,
        size: 10,
        latency: 0,
        result: None,
        marks: addressed(),
        destinations: Destinations::of([format!("h{n}.example")]),
        held: false,
    }))
}

#[test]
fn what_a_hostile_server_makes_a_watch_remember_is_bounded() {
    let mut hostile = Hostile { watch: Watch::new(Rules::default()), index: 0, findings: 0 };
    for n in 0..MANY {
        let server = format!("s{n}");
        hostile.says(&server, What::Server(Server { marks: addressed(), ..Server::default() }));
        hostile.says("evil", tool(n));
        hostile.says("evil", call(n, &format!("t{n}")));
        hostile.says("evil", call(MANY + n, "one"));
        hostile.says("evil", answer(n));
        let refused = || Called::Tool(format!("t{n}"));
        hostile.says("evil", What::Refused { call: None, called: refused(), reason: "replay".to_owned() });
        let method = "sampling/createMessage".to_owned();
        hostile.says("evil", What::Asked(Asked { method, call: None, size: 1, marks: addressed() }));
    }
    let memory = &hostile.watch.memory;
    assert_eq!((memory.tools.len(), memory.servers.len()), (TOOLS, SERVERS));
    assert_eq!((memory.destinations.len(), memory.open.len()), (DESTINATIONS, OPEN));
    assert_eq!((memory.suspects.len(), memory.marked.len()), (SUSPECTS, MARKED));
    assert!(memory.marked.iter().all(|marked| marked.destinations.len() <= attest_core::seen::MAX_DESTINATIONS));
    let most = MAX_FREQUENCY as usize;
    for (_, tool) in &memory.tools {
        assert!(tool.shapes() <= SHAPES && tool.times.len() <= most);
    }
    for (_, server) in &memory.servers {
        assert!(server.denials.len() <= MAX_ENTRIES && server.times.len() <= most);
    }
    assert!(memory.destinations.iter().all(|(_, times)| times.len() <= most));
    assert!(hostile.findings > 0);
}

#[test]
fn a_server_cannot_push_a_marked_tool_of_another_out_by_tools_without_marks() {
    let mut hostile = Hostile { watch: Watch::new(Rules::default()), index: 0, findings: 0 };
    hostile.says("evil", tool(0));
    for n in 1..MANY {
        let What::Tool(plain) = tool(n) else { continue };
        hostile.says("other", What::Tool(Tool { marks: Marks::default(), ..plain }));
    }
    assert_eq!(hostile.watch.memory.suspects.len(), 1);
}
