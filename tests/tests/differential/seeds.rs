//! What mutations begin with: calls of both eras, and the messages that pass beside them.

use std::fs;

use attest_tests::world::tests_folder;

use super::random::Random;
use super::tree::Tree;

pub const CALLS: [&str; 5] = [
    r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"n":1}}}"#,
    r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"read_file","arguments":{"path":"/srv/é😀.txt","limit":100,"deep":{"list":[1,2.5,-0,1e3,null,true,{"x":"y"}]}},"_meta":{"progressToken":1}}}"#,
    r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo"}}"#,
    r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"a_b-c.d/e","arguments":{},"task":{"ttl":60000},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","com.example/tenant":"acme"}}}"#,
    r#"{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"greet","arguments":{"who":"x","a":1,"b":2},"inputResponses":{"k":{"action":"accept"}},"requestState":"s"}}"#,
];

const OTHERS: [&str; 6] = [
    r#"{"jsonrpc":"2.0","id":5,"method":"ping"}"#,
    r#"{"jsonrpc":"2.0","id":6,"method":"tools/list","params":{"cursor":"x"}}"#,
    r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":0.5,"message":"half"}}"#,
    r#"{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"tools/call"}]}}"#,
    r#"{"jsonrpc":"2.0","id":8,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#,
    r#"{"jsonrpc":"2.0","id":9,"method":"prompts/get","params":{"name":"echo","arguments":{"n":"1"}}}"#,
];

/// The well-formed messages that mutations begin with.
pub struct Seeds {
    trees: Vec<Tree>,
    calls: Vec<Tree>,
}

impl Seeds {
    /// Those above, and the recorded conversations of both eras.
    pub fn new() -> Self {
        let calls: Vec<Tree> = CALLS.iter().map(|text| Tree::of(text)).collect();
        let mut trees: Vec<Tree> = OTHERS.iter().map(|text| Tree::of(text)).collect();
        for era in ["2025-11-25", "2026-07-28"] {
            let path = tests_folder().join(format!("../mcp-relay/tests/transcripts/{era}.jsonl"));
            let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            trees.extend(text.lines().filter(|line| line.starts_with('{')).map(Tree::of));
        }
        Self { trees, calls }
    }

    pub fn call(&self, random: &mut Random) -> Tree {
        random.pick(&self.calls).clone()
    }

    /// Some message, a call in two of three cases.
    pub fn any(&self, random: &mut Random) -> Tree {
        if random.once_in(3) { random.pick(&self.trees).clone() } else { self.call(random) }
    }
}
