//! Other methods than `tools/call`, at a server that asks for a proof of them.

use attest_core::names::{CALL, PROOF};
use serde_json::{Value, json};

use super::vector;
use crate::vectors::call::{Call, Sent};
use crate::vectors::file::Vector;
use crate::vectors::token::{canonical, thumbprint};

/// The method of most of these.
const READ: &str = "resources/read";

/// The default call's tokens over another request.
fn over(method: &str, request: &Value) -> Call {
    Call::with(|call| {
        call.request = request.clone();
        let bound = call.bound();
        bound["method"] = json!(method);
        bound.as_object_mut().unwrap().remove("tool");
    })
}

fn read() -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": READ, "params": {
        "_meta": {"com.example/tenant": "acme", "progressToken": 1},
        "uri": "file:///srv/report.txt",
    }})
}

/// At a verifier that asks for a proof of `method`.
fn asked(method: &str, name: &str, comment: &str, body: impl Into<Vec<u8>>) -> Vector {
    vector(&format!("attested_{name}"), comment, body).with("methods", method)
}

fn changed(code: &str, name: &str, comment: &str, change: impl FnOnce(&mut Sent)) -> Vector {
    asked(READ, name, comment, over(READ, &read()).sign().with(change).bytes()).refused(code)
}

fn edited(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let mut call = over(READ, &read());
    edit(&mut call);
    asked(READ, name, comment, call.bytes()).refused(code)
}

/// Without a proof, as a client sends it.
fn bare(code: &str, name: &str, comment: &str, body: &str) -> Vector {
    asked(READ, name, comment, body).refused(code)
}

fn accepted() -> Vec<Vector> {
    let of = |name: &str, comment: &str, method: &str, request: Value| {
        let call = over(method, &request);
        asked(method, name, comment, call.bytes()).accepted(&call.forward())
    };
    let emptied = |name: &str, comment: &str, method: &str, request: Value, forward: Value| {
        asked(method, name, comment, over(method, &request).bytes()).accepted(&canonical(&forward))
    };
    vec![
        of("good", "a request of another method", READ, read()),
        of("id_text", "an id that is a string", READ, {
            let mut request = read();
            request["id"] = json!("a-1");
            request
        }),
        of(
            "any_params",
            "any members of params: what a method has is the server's affair",
            "completion/complete",
            json!({"jsonrpc": "2.0", "id": 1, "method": "completion/complete", "params": {"Arguments": [1], "name": 7, "params": null}}),
        ),
        emptied(
            "no_params",
            "no params: signed and forwarded as empty ones",
            "tools/list",
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
            json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}),
        ),
        emptied(
            "notification",
            "a notification: no id, and none is made up",
            "notifications/cancelled",
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}),
            json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 3}}),
        ),
        of(
            "method_escaped",
            "a method with characters that are escaped in JSON",
            "x/\"y\"",
            json!({"jsonrpc": "2.0", "id": 1, "method": "x/\"y\"", "params": {"a": 1}}),
        ),
        {
            // Signed with a proof that it does not need: it goes as it came, proof and all.
            vector(
                "attested_not_asked",
                "a proof where none is asked for: passes as it came",
                over(READ, &read()).bytes(),
            )
            .passes()
        },
    ]
}

fn refused() -> Vec<Vector> {
    vec![
        bare(
            "no-proof",
            "undeclared",
            "no proof, from a modern client that did not declare the extension",
            r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"_meta":{"io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}"#,
        )
        .about("extension"),
        bare(
            "no-proof",
            "no_proof",
            "a request of another method without a proof",
            r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"uri":"file:///srv/report.txt"}}"#,
        ),
        bare("no-proof", "no_proof_no_params", "no params, and so no proof", r#"{"jsonrpc":"2.0","id":7,"method":"resources/read"}"#),
        bare(
            "no-proof",
            "escaped_no_proof",
            "the method spelt with an escape",
            r#"{"jsonrpc":"2.0","id":7,"method":"resources\u002fread","params":{"uri":"file:///srv/report.txt"}}"#,
        ),
        bare("bad-request", "params_array", "params by position", r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":["x"]}"#),
        bare("bad-request", "params_null", "params that are null", r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":null}"#),
        bare("bad-request", "meta_text", "a _meta that is a string", r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{"_meta":"x"}}"#),
        bare("bad-request", "params_case", "PARAMS beside params", r#"{"jsonrpc":"2.0","id":7,"method":"resources/read","params":{},"PARAMS":{}}"#),
        edited("bad-request", "extra_member", "a member that a request does not have", |c| c.request["x"] = json!(1)),
        edited("bad-request", "result_beside_method", "a request that is a response too", |c| {
            c.request["result"] = json!({});
        }),
        edited("no-id", "id_null", "an id that is null", |c| c.request["id"] = Value::Null),
        edited("no-id", "id_1e21", "an id of 10^21, which its neighbours share", |c| c.request["id"] = json!(1e21)),
        changed("params-mismatch", "uri_changed", "another parameter than was signed", |s| {
            s.request["params"]["uri"] = json!("file:///etc/shadow");
        }),
        changed("params-mismatch", "uri_dropped", "a parameter taken away", |s| {
            s.request["params"].as_object_mut().unwrap().remove("uri");
        }),
        changed("meta-mismatch", "meta_changed", "another bound member of _meta than was signed", |s| {
            s.request["params"]["_meta"]["com.example/tenant"] = json!("other");
        }),
        changed("method-mismatch", "method_changed", "the proof of another method", |s| {
            s.request["method"] = json!("resources/list");
        })
        .with("methods", "resources/list resources/read"),
        changed("method-mismatch", "method_case", "the proof of the method in another case", |s| {
            s.request["method"] = json!("Resources/Read");
        })
        .with("methods", "Resources/Read resources/read"),
        {
            let call = Call::default().sign().with(|s| s.request["method"] = json!(READ));
            asked(READ, "proof_of_a_call", "the proof of a tools/call", call.bytes()).refused("method-mismatch")
        },
        {
            let call = over("tools/list", &Call::default().request).sign();
            let call = call.with(|s| s.request["method"] = json!("tools/call"));
            vector("attested_proof_for_a_call", "the proof of another method on a tools/call", call.bytes())
                .refused("method-mismatch")
        },
        edited("method-not-granted", "nothing_granted", "a leaf that grants nothing", |c| {
            *c.tools(1) = json!({});
        }),
        {
            let mut call = over(READ, &read());
            call.proof.claims[CALL]["tool"] = json!("read_file");
            asked(READ, "tool_named", "a tool in the proof of another method", call.bytes())
                .refused("token-claims")
                .about("call proof")
        },
        edited("token-claims", "method_empty", "a proof of no method", |c| c.bound()["method"] = json!(""))
            .about("call proof"),
        edited("token-claims", "method_long", "a proof of a method of 257 bytes", |c| {
            c.bound()["method"] = json!("m".repeat(257));
        })
        .about("call proof"),
        edited("token-claims", "method_control", "a proof of a method with a control character", |c| {
            c.bound()["method"] = json!("resources/read\u{85}");
        })
        .about("call proof"),
        {
            let seen = format!("{}/{}", thumbprint(crate::vectors::call::AGENT), crate::vectors::token::b64([6; 16]));
            asked(READ, "replay", "a jti that this key has used", over(READ, &read()).bytes())
                .with("seen", &seen)
                .refused("replay")
        },
        changed("bad-carrier", "carrier_text", "a string in place of the carrier", |s| s.carrier = json!("proof")),
        {
            let long = "m".repeat(257);
            let request = json!({"jsonrpc": "2.0", "id": 1, "method": long, "params": {"_meta": {PROOF: {}}}});
            asked(&long, "long_method", "a method of 257 bytes, which no proof can name", canonical(&request))
                .refused("bad-request")
        },
    ]
}

pub(super) fn vectors() -> Vec<Vector> {
    [accepted(), refused()].concat()
}
