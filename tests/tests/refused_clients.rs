//! What each published client shows its caller of a call that a real guard refused, in both eras and both shapes, over stdio
//! and over HTTP. The table in `tests/real/README.md` says how far each can show it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::ffi::OsString;

use attest_tests::binaries::{attest, conformance_server};
use attest_tests::listening::Listening;
use attest_tests::real;
use attest_tests::world::{AUDIENCE, World, output};
use serde_json::{Value, json};

/// The clients by what they speak to a server that knows both revisions: 2025-11-25 is asked for with `--era legacy`, where
/// the client knows anything else.
const CALLERS: [(&str, Option<&str>); 12] = [
    ("python", Some("auto")),
    ("python", Some("legacy")),
    ("python-v1", None),
    ("fastmcp", Some("auto")),
    ("fastmcp", Some("legacy")),
    ("node", None),
    ("node-v2", Some("auto")),
    ("node-v2", Some("legacy")),
    ("inspector", Some("auto")),
    ("inspector", Some("legacy")),
    ("rmcp", Some("auto")),
    ("rmcp", Some("legacy")),
];
const GRANTED: &str = "test_error_handling";
const NOT_GRANTED: &str = "test_simple_text";
const MESSAGE: &str =
    "attest refused this call (tool-not-granted). The delegation does not grant this tool of this server.";

/// One shape of refusal as it stands in `guard.toml`.
#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Error,
    ToolResult,
}

/// A server that counts its runs behind a guard that refuses in this shape, and a wrap in front.
struct Chain {
    world: World,
    shape: Shape,
}

impl Chain {
    fn new(shape: Shape) -> Self {
        let world = World::granting(&[GRANTED]);
        if shape == Shape::ToolResult {
            world.set("guard.toml", "deny_as = \"tool-result\"");
        }
        Self { world, shape }
    }

    fn server(&self) -> Vec<OsString> {
        vec![conformance_server().into(), "--runs".into(), self.world.path("runs").into()]
    }

    /// What every client shows when it is sent where `target` says, with what it calls refused.
    fn refuses_all(&self, target: &[OsString]) {
        let run = format!("XDG_RUNTIME_DIR={}", self.world.text_path("run"));
        for (client, era) in CALLERS {
            let mut command = self.world.command(&real::client(client));
            command.args(["--env", &run, "--expect-refusal", NOT_GRANTED, "{}"]);
            if let Some(era) = era {
                command.args(["--era", era]);
            }
            command.args(target);
            let said = output(command);
            let who = format!("{client} {}", era.unwrap_or("legacy"));
            let shown: Value = serde_json::from_slice(&said.stdout)
                .unwrap_or_else(|_| panic!("{who}: {}", String::from_utf8_lossy(&said.stderr)));
            match (client, self.shape) {
                // It prints no code and no data of any error.
                ("inspector", Shape::Error) => assert!(shown.to_string().contains(MESSAGE), "{who}: {shown}"),
                (_, shape) => {
                    assert_eq!(said.status.code(), Some(0), "{who}: {shown}");
                    assert_eq!(shown, expected(shape), "{who}");
                }
            }
        }
        // Nothing ran, and each call was refused once: no client takes it for something to try again.
        assert_eq!(self.world.runs(), Vec::<Value>::new());
        let refused = self.world.entries("guard.db", &[("reason", "tool-not-granted"), ("tool", NOT_GRANTED)]);
        assert_eq!(refused.len(), CALLERS.len());
    }

    fn over_stdio(&self) {
        let text = |name| self.world.path(name).into();
        let wrap =
            ["wrap".into(), "--config".into(), text("agent.toml"), "--audience".into(), AUDIENCE.into(), "--".into()];
        let guard = [attest().into(), "guard".into(), "--config".into(), text("guard.toml"), "--".into()];
        let chain: [&[OsString]; 5] =
            [&["--".into(), attest().into()], &wrap, &guard, &self.server(), &["--stdio".into()]];
        self.refuses_all(&chain.concat());
    }

    fn over_http(&self) {
        let server = Listening::start(self.world.command(&self.server()));
        let guard = self.world.listening_guard(&["--upstream".into(), server.url().into()]);
        let wrap = self.world.listening_wrap(guard.url());
        self.refuses_all(&["--url".into(), wrap.url().into()]);
    }
}

fn expected(shape: Shape) -> Value {
    let data = json!({"reason": "tool-not-granted"});
    match shape {
        Shape::Error => json!({"kind": "error", "code": -31401, "message": MESSAGE, "data": data}),
        Shape::ToolResult => json!({"kind": "tool-error", "text": MESSAGE, "data": data}),
    }
}

#[test]
fn over_stdio_an_error_arrives_whole() {
    Chain::new(Shape::Error).over_stdio();
}

#[test]
fn over_stdio_a_tool_result_arrives_whole() {
    Chain::new(Shape::ToolResult).over_stdio();
}

#[test]
fn over_http_an_error_arrives_whole() {
    Chain::new(Shape::Error).over_http();
}

#[test]
fn over_http_a_tool_result_arrives_whole() {
    Chain::new(Shape::ToolResult).over_http();
}
