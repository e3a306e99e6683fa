//! What a call proof binds, and what it does not.

use attest_core::names::REFUSAL;
use serde_json::{Value, json};

use super::{refused, remove};
use crate::vectors::call::{Call, Sent, commitment};
use crate::vectors::file::Vector;
use crate::vectors::token::{b64, canonical, hash};

/// Changed after it was signed.
fn changed(code: &str, name: &str, comment: &str, call: &Call, edit: impl FnOnce(&mut Sent)) -> Vector {
    Vector::request(format!("call_proof_{name}"), comment, call.sign().with(edit).bytes()).refused(code)
}

/// Changed after it was signed, in a place that nothing binds; `forward` is what a verifier sends on.
fn unbound(
    name: &str,
    comment: &str,
    call: &Call,
    edit: impl FnOnce(&mut Sent),
    forward: impl FnOnce(&mut Value),
) -> Vector {
    let sent = call.sign().with(edit);
    let mut request = sent.request.clone();
    forward(&mut request);
    Vector::request(format!("call_proof_{name}"), comment, sent.bytes()).accepted(&canonical(&request))
}

fn hashes() -> Vec<Vector> {
    vec![
        refused("wrong-audience", "other_audience", "made out to another server", |c| {
            c.proof.claims["aud"] = json!("mail")
        }),
        refused("wrong-audience", "audience_case", "made out to the server in another case", |c| {
            c.proof.claims["aud"] = json!("Files");
        }),
        refused("wrong-audience", "audience_longer", "made out to a server whose name begins alike", |c| {
            c.proof.claims["aud"] = json!("files2");
        }),
        refused("wrong-attestation", "other_attestation", "made for an earlier attestation of the same key", |c| {
            let mut earlier = c.attestation.clone();
            earlier.claims["jti"] = json!(b64([8; 16]));
            c.proof.claims["wth"] = json!(hash(earlier.compact()));
        }),
        refused("wrong-delegation", "hash_of_the_root", "bound to the root of the chain in place of its leaf", |c| {
            c.proof.claims["oth"]["del"] = json!(hash(c.chain[0].compact()));
        }),
        refused("wrong-delegation", "other_delegation", "made for another leaf of the same holder", |c| {
            let mut other = c.chain[0].clone();
            other.claims["jti"] = json!("another");
            c.proof.claims["oth"]["del"] = json!(hash(other.compact()));
        }),
        refused(
            "tool-mismatch",
            "other_tool",
            "a proof that names another tool than the request, over the same parameters",
            |c| {
                c.bound()["tool"] = json!("write_file");
            },
        ),
        changed(
            "wrong-delegation",
            "chain_cut",
            "the last token of the chain taken away after the signing",
            &Call::default(),
            |s| {
                s.carrier["del"].as_array_mut().unwrap().pop();
            },
        ),
        changed(
            "wrong-delegation",
            "chain_longer",
            "a token put behind the leaf after the signing",
            &Call::default(),
            |s| {
                let root = s.carrier["del"][0].clone();
                s.carrier["del"].as_array_mut().unwrap().push(root);
            },
        ),
    ]
}

fn params() -> Vec<Vector> {
    const CODE: &str = "params-mismatch";
    let call = Call::default();
    let rich = Call::with(|c| {
        c.params()["inputResponses"] = json!({"confirm": true});
        c.params()["requestState"] = json!("s1");
        c.params()["task"] = json!({"ttl": 60});
    });
    let without = Call::with(|c| remove(c.params(), "arguments"));
    let empty = Call::with(|c| c.params()["arguments"] = json!({}));
    let params = |s: &mut Sent, name: &str, value: Value| s.request["params"][name] = value;
    vec![
        changed("tool-mismatch", "tool_changed", "another tool than was signed", &call, |s| {
            params(s, "name", json!("write_file"))
        }),
        changed(CODE, "argument_changed", "another argument than was signed", &call, |s| {
            params(s, "arguments", json!({"path": "/etc/shadow"}))
        }),
        changed(CODE, "argument_added", "an argument more than was signed", &call, |s| {
            params(s, "arguments", json!({"path": "/srv/report.txt", "follow": true}));
        }),
        changed(
            CODE,
            "argument_type",
            "an argument of another type than was signed",
            &Call::with(|c| c.params()["arguments"]["path"] = json!(1)),
            |s| params(s, "arguments", json!({"path": "1"})),
        ),
        changed(CODE, "arguments_dropped", "arguments taken away", &call, |s| {
            remove(&mut s.request["params"], "arguments")
        }),
        changed(CODE, "arguments_emptied", "absent arguments made empty", &without, |s| {
            params(s, "arguments", json!({}))
        }),
        changed(CODE, "empty_arguments_dropped", "empty arguments taken away", &empty, |s| {
            remove(&mut s.request["params"], "arguments")
        }),
        changed(CODE, "task_added", "a task that was not signed", &call, |s| params(s, "task", json!({"ttl": 60}))),
        changed(CODE, "task_dropped", "a task taken away", &rich, |s| remove(&mut s.request["params"], "task")),
        changed(CODE, "input_responses_changed", "other inputResponses than were signed", &rich, |s| {
            params(s, "inputResponses", json!({"confirm": false}));
        }),
        changed(CODE, "request_state_changed", "another requestState than was signed", &rich, |s| {
            params(s, "requestState", json!("s2"))
        }),
        changed(CODE, "other_salt", "another salt than the digests were made with", &call, |s| {
            s.carrier["salt"] = json!(b64([8; 16]))
        }),
        refused(CODE, "other_params", "a proof over the digest of other parameters", |c| {
            c.bound()["params"] = json!(hash("x"))
        }),
        refused(CODE, "params_without_salt", "a proof over the parameters' digest without the salt", |c| {
            let mut params = c.request["params"].clone();
            remove(&mut params, "_meta");
            c.bound()["params"] = json!(hash(canonical(&params)));
        }),
        unbound("all_params", "every member that params can have", &rich, |_| (), |_| ()),
    ]
}

/// A proof that names a member which cannot be bound; the request has it, and the digest is over all that are named.
fn named(name: &str, comment: &str, member: &str) -> Vector {
    refused("meta-mismatch", name, comment, |c| {
        c.params()["_meta"] = json!({"com.example/tenant": "acme", member: 1});
        let digest = commitment(&c.params()["_meta"].clone());
        c.bound()["meta"] = json!({"digest": digest, "names": ["com.example/tenant", member]});
    })
}

/// A member of `_meta` put there after the signing, which the proof does not name: dropped, unless nothing binds its like.
fn standing() -> Vec<Vector> {
    let put = |name: &str, comment: &str, member: &str, passes: bool| {
        let edit = |s: &mut Sent| s.request["params"]["_meta"][member] = json!(1);
        unbound(name, comment, &Call::default(), edit, |r| {
            if !passes {
                remove(&mut r["params"]["_meta"], member);
            }
        })
    };
    vec![
        put("meta_label_mcp", "a name whose second label is mcp is bound by nothing", "x.mcp/a", true),
        put("meta_label_third", "labels behind the second do not count", "x.mcp.y/a", true),
        put("meta_label_case", "a label in another case is nobody's, and dropped", "X.MCP/a", false),
        put("meta_label_first", "a first label mcp is dropped", "mcp.x/a", false),
        put("meta_label_longer", "a label that begins like mcp is dropped", "x.mcp2/a", false),
        put("meta_no_slash", "a name without a slash has no labels, and is dropped", "a.mcp", false),
        put("meta_two_slashes", "the labels stand before the first slash", "x.mcp/a/b", true),
        put("meta_label_behind_slash", "a label behind the first slash is none", "x/y.mcp/a", false),
        put("meta_progress_case", "progressToken in another case is dropped", "progresstoken", false),
    ]
}

fn meta() -> Vec<Vector> {
    const CODE: &str = "meta-mismatch";
    const TENANT: &str = "com.example/tenant";
    let call = Call::default();
    let two = Call::with(|c| c.params()["_meta"]["com.example/user"] = json!("u1"));
    let meta = |s: &mut Sent, name: &str, value: Value| s.request["params"]["_meta"][name] = value;
    let drop_meta = |request: &mut Value, name: &str| remove(&mut request["params"]["_meta"], name);
    vec![
        changed(CODE, "meta_changed", "a named _meta member changed", &call, |s| meta(s, TENANT, json!("other"))),
        changed(CODE, "meta_dropped", "a named _meta member taken away", &call, |s| {
            remove(&mut s.request["params"]["_meta"], TENANT)
        }),
        changed(CODE, "meta_all_dropped", "all of _meta taken away", &call, |s| {
            remove(&mut s.request["params"], "_meta")
        }),
        refused(CODE, "meta_digest", "a proof over the digest of other _meta members", |c| {
            c.bound()["meta"]["digest"] = json!(hash("x"))
        }),
        refused(CODE, "meta_names_order", "names of _meta members in descending order", |c| {
            *c = two.clone();
            c.bound()["meta"]["names"] = json!(["com.example/user", TENANT]);
        }),
        refused(CODE, "meta_names_twice", "a name of a _meta member twice", |c| {
            c.bound()["meta"]["names"] = json!([TENANT, TENANT])
        }),
        named("meta_names_progress", "a name of a member that nothing binds", "progressToken"),
        named("meta_names_protocol", "a name of the protocol's own", "io.modelcontextprotocol/x"),
        named("meta_names_ours", "our own name among the bound ones", REFUSAL),
        named("meta_names_prefix", "our prefix alone, which is ours too", "io.github.agent-attest/"),
        refused(CODE, "meta_names_absent", "a name of a member that the request does not have", |c| {
            c.bound()["meta"]["names"] = json!(["com.example/absent", TENANT]);
        }),
        refused(CODE, "meta_name_not_named", "a digest over a member that is not named", |c| {
            c.bound()["meta"]["names"] = json!([])
        }),
        unbound(
            "meta_unnamed",
            "a _meta member that the proof does not name is dropped",
            &call,
            |s| meta(s, "com.example/injected", json!(1)),
            |r| drop_meta(r, "com.example/injected"),
        ),
        unbound(
            "meta_ours",
            "members of ours beside the proof are dropped",
            &call,
            |s| meta(s, REFUSAL, json!({})),
            |r| drop_meta(r, REFUSAL),
        ),
        unbound(
            "meta_ours_other_case",
            "our name in another case is nobody's, and dropped",
            &call,
            |s| meta(s, "IO.GITHUB.agent-attest/proof", json!({})),
            |r| drop_meta(r, "IO.GITHUB.agent-attest/proof"),
        ),
        unbound(
            "meta_progress_changed",
            "progressToken is bound by nothing: a gateway renumbers it",
            &call,
            |s| meta(s, "progressToken", json!("p-9")),
            |_| (),
        ),
        unbound(
            "meta_trace_added",
            "trace keys are bound by nothing",
            &call,
            |s| {
                meta(s, "traceparent", json!("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
                meta(s, "tracestate", json!("a=1"));
                meta(s, "baggage", json!("b=2"));
            },
            |_| (),
        ),
        unbound(
            "meta_protocol_added",
            "the protocol's own names are bound by nothing",
            &call,
            |s| meta(s, "io.modelcontextprotocol/related-task", json!({"taskId": "t"})),
            |_| (),
        ),
        unbound(
            "meta_not_the_protocol",
            "a name that only looks like the protocol's is dropped",
            &call,
            |s| meta(s, "modelcontextprotocol.io/x", json!(1)),
            |r| drop_meta(r, "modelcontextprotocol.io/x"),
        ),
        unbound(
            "meta_order_utf_16",
            "names in the order of UTF-16, which is not that of UTF-8",
            &Call::with(|c| {
                c.params()["_meta"] = json!({"com.example/\u{1f600}": 1, "com.example/\u{ffe0}": 2});
                c.bound()["meta"]["names"] = json!(["com.example/\u{1f600}", "com.example/\u{ffe0}"]);
            }),
            |_| (),
            |_| (),
        ),
        {
            let names = |c: &mut Call| {
                let many = (0..64).map(|i| (format!("a/{i:02}"), json!(i)));
                c.params()["_meta"] = Value::Object(many.collect());
            };
            unbound("meta_names_64", "64 bound members, the most", &Call::with(names), |_| (), |_| ())
        },
        unbound(
            "meta_only_ours",
            "a _meta of nothing but the proof is not sent on",
            &Call::with(|c| remove(c.params(), "_meta")),
            |_| (),
            |_| (),
        ),
        unbound(
            "id_changed",
            "the id is bound by nothing: a gateway renumbers it",
            &call,
            |s| s.request["id"] = json!("gateway-1"),
            |_| (),
        ),
    ]
}

/// What is brought along is what was signed, all of it, in its order.
fn provenance() -> Vec<Vector> {
    use crate::vectors::cause::{decision, on_behalf};
    use crate::vectors::flow::receipt;

    const CODE: &str = "provenance-mismatch";
    let two = Call::with(|c| c.receipts = vec![receipt(&["hr"]), receipt(&["pay"])]);
    let behalf = Call::with(|c| on_behalf(c, decision(&[])));
    let changed =
        |name: &str, comment: &str, call: &Call, edit: fn(&mut Sent)| changed(CODE, name, comment, call, edit);
    vec![
        changed("receipts_taken_out", "both receipts are gone", &two, |s| remove(&mut s.carrier, "rcp")),
        changed("receipt_taken_out", "one of two receipts is gone", &two, |s| {
            s.carrier["rcp"].as_array_mut().unwrap().pop();
        }),
        changed("receipt_added", "a receipt that was not signed", &Call::default(), |s| {
            s.carrier["rcp"] = json!([receipt(&[]).compact()]);
        }),
        changed("receipt_other", "another receipt than the one that was signed", &two, |s| {
            s.carrier["rcp"][0] = json!(receipt(&[]).compact());
        }),
        changed("receipts_swapped", "the receipts in another order", &two, |s| {
            s.carrier["rcp"].as_array_mut().unwrap().reverse();
        }),
        changed("cause_taken_out", "the cause is gone", &behalf, |s| remove(&mut s.carrier, "cause")),
        changed("cause_added", "a cause, of a call of its own accord", &Call::default(), |s| {
            s.carrier["cause"] = json!(decision(&[]).compact());
        }),
        changed("cause_other", "another cause than the one that was signed", &behalf, |s| {
            s.carrier["cause"] = json!(decision(&["hr"]).compact());
        }),
    ]
}

/// The part of the family.
pub(super) fn vectors() -> Vec<Vector> {
    [hashes(), params(), standing(), meta(), provenance()].concat()
}
