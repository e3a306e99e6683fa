//! The calls that are measured.

/// A `tools/call` of 424 bytes, as an MCP client writes it: names not in canonical order, one escape, some numbers.
pub const CALL: &str = concat!(
    r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"search_issues","#,
    r#""arguments":{"repository":"acme/warehouse","query":"label:bugs \"stock level\" is negative","#,
    r#""state":"open","limit":250,"threshold":0.875,"since":"2026-10-01","#,
    r#""fields":["title","author","labels","updated_at"],"include_closed":false,"cursor":null,"#,
    r#""sort":{"by":"updated_at","order":"desc"}},"_meta":{"progressToken":7,"com.example/tenant":"acme"}}}"#,
);

const _: () = assert!(CALL.len() == 424);

/// The tool of [`CALL`].
pub const TOOL: &str = "search_issues";

/// [`CALL`] with another id, for conversations in which each call is one of its own.
pub fn numbered(id: u64) -> String {
    CALL.replacen(r#""id":7"#, &format!(r#""id":{id}"#), 1)
}
