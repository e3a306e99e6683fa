//! `echo-server`: an MCP server over stdio with one tool, which answers at once with the arguments it was given.

use std::io::{self, BufRead as _, Write as _};

use attest_benches::Outcome;
use attest_benches::calls::TOOL;
use serde_json::{Value, json};

fn main() -> Outcome<()> {
    let mut out = io::stdout().lock();
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    while input.read_until(b'\n', &mut line)? > 0 {
        if let Some(answer) = answer(&serde_json::from_slice(&line)?) {
            serde_json::to_writer(&mut out, &answer)?;
            out.write_all(b"\n")?;
            out.flush()?;
        }
        line.clear();
    }
    Ok(())
}

fn answer(message: &Value) -> Option<Value> {
    let id = message.get("id")?;
    let result = match message.get("method").and_then(Value::as_str) {
        Some("initialize") => json!({
            "protocolVersion": message.pointer("/params/protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "echo", "version": "1"},
        }),
        Some("tools/list") => json!({"tools": [{"name": TOOL, "inputSchema": {"type": "object"}}]}),
        Some("tools/call") => {
            let arguments = message.pointer("/params/arguments").map(Value::to_string);
            json!({"content": [{"type": "text", "text": arguments.unwrap_or_default()}]})
        }
        _ => json!({}),
    };
    Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
}
