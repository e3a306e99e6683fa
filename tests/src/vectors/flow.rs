//! The family `flow`: whether what a caller has seen may reach a tool; and what the families of what it brings with it share.

use attest_core::names::FLOW;
use serde_json::{Value, json};

use super::FLOW_FILE;
use super::call::{Call, NARROW_ROOT, NOW, chain, read_file};
use super::file::Vector;
use super::log::{LOG, ORIGIN};
use super::token::{Token, hash};

/// A receipt of the log `files`, with these labels.
pub(super) fn receipt(labels: &[&str]) -> Token {
    let mut claims = json!({
        "call": hash("a call"),
        "decision": "allow",
        "iat": NOW - 1_000_000,
        "idx": 1,
        "log": ORIGIN,
        "policy": hash("config bytes"),
        "result": hash("a result"),
        "status": "result",
    });
    if !labels.is_empty() {
        claims["labels"] = json!(labels);
    }
    Token::new("mcp-receipt+jwt", LOG, claims)
}

/// A call under the trust configuration with labels.
pub(super) fn request(family: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    (of(family, name, comment, call.bytes()), call)
}

/// A message under that configuration.
pub(super) fn of(family: &str, name: &str, comment: &str, body: Vec<u8>) -> Vector {
    Vector::request(format!("{family}_{name}"), comment, body).with("trust", FLOW_FILE)
}

/// `labels` are those that the decision names, with a blank between two.
pub(super) fn accepted(family: &str, name: &str, comment: &str, labels: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let (vector, call) = request(family, name, comment, edit);
    let vector = vector.accepted(&call.forward());
    if labels.is_empty() { vector } else { vector.with("labels", labels) }
}

/// The context claims these labels.
pub(super) fn claims(call: &mut Call, labels: &[&str]) {
    call.provenance()["labels"] = json!(labels);
}

/// The n-th token says this about flow, its holder acting of its own accord.
pub(super) fn releases(call: &mut Call, n: usize, release: Value) {
    call.detail(n)[FLOW] = json!({"origin": "self", "release": release});
}

/// Another tool is called, which the chain grants.
fn tool(call: &mut Call, name: &str) {
    for n in 0..call.chain.len() {
        let grant = call.tools(n);
        grant[format!("files#{name}")] = json!({});
    }
    call.params()["name"] = json!(name);
}

fn other_method(call: &mut Call) {
    *call.bound() = json!({"meta": {"digest": null, "names": null}, "method": "resources/read", "params": null});
    call.request =
        json!({"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": {"uri": "file:///srv/a.txt"}});
}

const FAMILY: &str = "flow";

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    request(FAMILY, name, comment, edit).0.refused(code)
}

fn not_granted(name: &str, comment: &str, about: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    refused("flow-not-granted", name, comment, edit).about(about)
}

fn good(name: &str, comment: &str, labels: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    accepted(FAMILY, name, comment, labels, edit)
}

fn hr() -> Value {
    json!({"files#read_file": ["hr"]})
}

fn releasing() -> Vec<Vector> {
    vec![
        good("released", "the page's example: the root releases the label to this tool", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({"files#read_file": ["hr", "pay"], "files#write_file": ["hr"]}));
        }),
        good("nothing_seen", "no label, and a token that releases nothing", "", |c| releases(c, 0, json!({}))),
        not_granted("silent_root", "a root that says nothing about flow releases nothing", "hr", |c| {
            claims(c, &["hr"])
        }),
        not_granted("other_tool", "released to another tool", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({"files#write_file": ["hr"]}));
        }),
        not_granted("other_server", "released to the tool of this name of another server", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({"mail#read_file": ["hr"]}));
        }),
        good("every_tool", "released to every tool", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({"*": ["hr"]}));
        }),
        good("tool_and_every_tool", "one label released to the tool, the other to every tool", "hr pay", |c| {
            claims(c, &["hr", "pay"]);
            releases(c, 0, json!({"*": ["pay"], "files#read_file": ["hr"]}));
        }),
        not_granted("one_of_two", "one of two labels is released", "hr pay", |c| {
            claims(c, &["hr", "pay"]);
            releases(c, 0, hr());
        }),
        not_granted("prefix", "a label that begins as the released one", "hr2", |c| {
            claims(c, &["hr2"]);
            releases(c, 0, hr());
        }),
        not_granted("every_label", "every label, of which three are released", "*", |c| {
            claims(c, &["*"]);
            releases(c, 0, json!({"*": ["hr", "pay", "untrusted"]}));
        }),
        good("leaf_releases_as_much", "root and leaf both release the label", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({"*": ["hr"]}));
            releases(c, 1, hr());
        }),
        not_granted("leaf_takes_away", "a leaf that releases nothing, under a root that does", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, hr());
            releases(c, 1, json!({}));
        }),
        not_granted("middle_takes_away", "a token in the middle that releases nothing", "hr", |c| {
            c.chain = chain(3);
            claims(c, &["hr"]);
            releases(c, 0, hr());
            releases(c, 1, json!({}));
            releases(c, 2, hr());
        }),
        not_granted("leaf_releases_more", "a leaf that releases what its root does not", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 0, json!({}));
            releases(c, 1, hr());
        }),
        not_granted("leaf_of_a_silent_root", "a leaf that releases under a root that says nothing", "hr", |c| {
            claims(c, &["hr"]);
            releases(c, 1, hr());
        }),
        good("other_method", "another method than a tool's, the label released to every tool", "hr", |c| {
            other_method(c);
            claims(c, &["hr"]);
            releases(c, 0, json!({"*": ["hr"]}));
        })
        .with("methods", "resources/read"),
        not_granted(
            "other_method_tool",
            "another method than a tool's, the label released to a tool alone",
            "hr",
            |c| {
                other_method(c);
                claims(c, &["hr"]);
                releases(c, 0, hr());
            },
        )
        .with("methods", "resources/read"),
    ]
}

fn origin() -> Vec<Vector> {
    vec![
        refused("origin-not-granted", "no_origin_root", "a root that lets nobody act of his own accord", |c| {
            c.detail(0)[FLOW] = json!({"release": {}});
        }),
        refused("origin-not-granted", "no_origin_leaf", "a leaf that takes it away", |c| {
            releases(c, 0, json!({}));
            c.detail(1)[FLOW] = json!({"release": {}});
        }),
        refused("origin-not-granted", "no_origin_and_label", "looked at before the labels", |c| {
            c.detail(0)[FLOW] = json!({"release": {}});
            claims(c, &["hr"]);
        }),
        good("origin_leaf", "a leaf that does not take it away, and a root that says nothing", "", |c| {
            releases(c, 1, json!({}));
        }),
    ]
}

fn roots() -> Vec<Vector> {
    vec![
        refused("root-scope", "root_label", "a root that releases a label its key may not speak for", |c| {
            releases(c, 0, json!({"files#read_file": ["hr", "secret"]}));
        }),
        refused(
            "root-scope",
            "root_every_label",
            "a root that releases every label, of which its key may three",
            |c| {
                releases(c, 0, json!({"files#read_file": ["*"]}));
            },
        ),
        refused("root-scope", "root_no_labels", "a root whose key may release nothing", |c| {
            let root = &mut c.chain[0];
            (root.kid, root.by) = (NARROW_ROOT, NARROW_ROOT);
            root.claims["iss"] = json!("deputy");
            releases(c, 0, hr());
        }),
        good("root_labels", "a root that releases all that its key may, one of them to another server", "", |c| {
            releases(c, 0, json!({"files#read_file": ["hr", "pay"], "mail#send": ["untrusted"]}));
        }),
        good("leaf_label", "a leaf that releases any label: it adds nothing", "", |c| {
            releases(c, 1, json!({"files#read_file": ["*"]}));
        }),
    ]
}

fn tools() -> Vec<Vector> {
    let both = |c: &mut Call| releases(c, 0, json!({"*": ["hr", "pay"]}));
    vec![
        good("tool_accepts", "a tool that takes this label", "hr", |c| {
            tool(c, "post");
            claims(c, &["hr"]);
            both(c);
        }),
        not_granted("tool_does_not_accept", "a tool that does not take what the chain releases", "hr pay", |c| {
            tool(c, "post");
            claims(c, &["hr", "pay"]);
            both(c);
        }),
        refused(
            "lineage-required",
            "lineage",
            "a tool that asks for lineage, and a signer that is not known to keep it",
            |c| {
                tool(c, "ledger");
            },
        )
        .about("*"),
        good("lineage_kept", "a tool that asks for lineage, and a signer that keeps it", "", |c| {
            tool(c, "ledger");
            c.attestation.claims["sub"] = json!("newcomer");
        }),
        not_granted("lineage_kept_label", "lineage is kept, and holds a label that is not released", "hr", |c| {
            tool(c, "ledger");
            c.attestation.claims["sub"] = json!("newcomer");
            claims(c, &["hr"]);
        }),
    ]
}

fn forms() -> Vec<Vector> {
    let bad = |name: &str, comment: &str, value: Value| {
        refused("token-claims", name, comment, |c| c.detail(0)[FLOW] = value).about("delegation 0")
    };
    let many = |n: usize| -> Value { Value::Object((0..n).map(|i| (format!("files#t{i}"), json!(["hr"]))).collect()) };
    let labels: Vec<String> = (10..43).map(|n| format!("l{n}")).collect();
    vec![
        bad("text", "a string in place of the object", json!("self")),
        bad("no_release", "nothing is said of labels", json!({"origin": "self"})),
        bad("origin_user", "an origin that there is not", json!({"origin": "user", "release": {}})),
        bad("origin_true", "true for the origin", json!({"origin": true, "release": {}})),
        bad("member", "a member that it does not have: it might be a restriction", json!({"release": {}, "until": 1})),
        bad("release_list", "a list of labels in place of tools", json!({"release": ["hr"]})),
        bad("release_empty", "a tool that no label is released to", json!({"release": {"files#read_file": []}})),
        bad("release_text", "a label that is in no list", json!({"release": {"*": "hr"}})),
        bad("tool_without_audience", "a tool without its server", json!({"release": {"read_file": ["hr"]}})),
        bad("label_upper_case", "what is no label", json!({"release": {"*": ["HR"]}})),
        bad("labels_order", "labels that are not ascending", json!({"release": {"*": ["pay", "hr"]}})),
        bad("257_tools", "257 tools that a label is released to", json!({"release": many(257)})),
        bad("33_labels", "33 labels", json!({"release": {"*": labels}})),
        good("256_tools", "256 tools that a label is released to, the most", "", |c| {
            c.detail(0)[FLOW] = json!({"origin": "self", "release": many(256)});
        }),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let chain_of_one = accepted(FAMILY, "chain_of_one", "a root that the agent itself holds", "hr", |c| {
        c.chain = chain(1);
        *c.tools(0) = read_file();
        claims(c, &["hr"]);
        releases(c, 0, hr());
    });
    [releasing(), origin(), roots(), tools(), forms(), vec![chain_of_one]].concat()
}
