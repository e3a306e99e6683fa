//! The family `chain`: how the tokens of a chain fit together.

use serde_json::{Value, json};

use super::call::{AGENT, Call, HOLDER, NARROW_ROOT, NOW, ROOT, STRANGER, chain, derived_issuer, read_file};
use super::constraint::WIDER;
use super::file::Vector;
use super::points;
use super::token::{flipped, hash, jwk, thumbprint};

fn request(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    (Vector::request(format!("chain_{name}"), comment, call.bytes()), call)
}

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    request(name, comment, edit).0.refused(code)
}

fn accepted(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let (vector, call) = request(name, comment, edit);
    vector.accepted(&call.forward())
}

/// Where logs and owners of labels are pinned.
fn under_flow(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    refused("holder-role", name, comment, edit).with("trust", super::FLOW_FILE)
}

fn roots() -> Vec<Vector> {
    vec![
        refused("unknown-root", "root_not_pinned", "a root by a key that is not pinned", |c| {
            (c.chain[0].kid, c.chain[0].by) = (STRANGER, STRANGER);
        }),
        refused("unknown-root", "root_by_the_attester", "a root by a key that is pinned as an attester", |c| {
            (c.chain[0].kid, c.chain[0].by) = (super::call::ATTESTER, super::call::ATTESTER);
        }),
        refused("unknown-root", "root_other_issuer", "a root with an issuer that its key may not speak for", |c| {
            c.chain[0].claims["iss"] = json!("deputy");
        }),
        refused("unknown-root", "leaf_alone", "the leaf without its root", |c| c.relink = |t| vec![t[1].clone()]),
        refused("unknown-root", "reversed", "leaf first, root last", |c| {
            c.relink = |t| vec![t[1].clone(), t[0].clone()]
        }),
        refused(
            "holder-role",
            "middle_held_by_the_attester",
            "a root held by a key that is pinned as an attester, which then passes it on",
            |c| {
                use super::call::ATTESTER;
                c.chain[0].claims["cnf"]["jwk"] = jwk(ATTESTER);
                (c.chain[1].kid, c.chain[1].by) = (ATTESTER, ATTESTER);
                c.chain[1].claims["iss"] = json!(derived_issuer(ATTESTER));
            },
        ),
        refused(
            "holder-role",
            "root_held_by_another_root",
            "a root held by a key that is pinned as another root",
            |c| {
                c.chain[0].claims["cnf"]["jwk"] = jwk(NARROW_ROOT);
                (c.chain[1].kid, c.chain[1].by) = (NARROW_ROOT, NARROW_ROOT);
                c.chain[1].claims["iss"] = json!(derived_issuer(NARROW_ROOT));
            },
        ),
        refused("holder-role", "child_held_by_a_root", "a child held by a pinned root, which then passes it on", |c| {
            c.chain = chain(3);
            c.chain[1].claims["cnf"]["jwk"] = jwk(ROOT);
            (c.chain[2].kid, c.chain[2].by) = (ROOT, ROOT);
            c.chain[2].claims["iss"] = json!(derived_issuer(ROOT));
        }),
        refused(
            "holder-role",
            "leaf_held_by_the_attester",
            "a leaf held by a pinned key, which is looked at before whether it is the caller's",
            |c| c.chain[1].claims["cnf"]["jwk"] = jwk(super::call::ATTESTER),
        ),
        under_flow(
            "held_by_a_log",
            "a leaf held by the key of a log, which is looked at before whether it is the caller's",
            |c| {
                c.chain[1].claims["cnf"]["jwk"] = jwk(super::log::NEXT);
            },
        ),
        under_flow("held_by_a_retired_key", "a leaf held by a retired key of a log", |c| {
            c.chain[1].claims["cnf"]["jwk"] = jwk(super::log::LOG);
        }),
        under_flow("held_by_an_owner", "a root held by a key that may declassify", |c| {
            use super::trust::OWNER;
            c.chain[0].claims["cnf"]["jwk"] = jwk(OWNER);
            (c.chain[1].kid, c.chain[1].by) = (OWNER, OWNER);
            c.chain[1].claims["iss"] = json!(derived_issuer(OWNER));
        }),
        refused("chain-linkage", "root_with_parent", "a root that says it has a parent", |c| {
            c.chain[0].claims["par_hash"] = json!(hash("a parent"));
        }),
        refused("chain-depth", "root_depth_1", "a root of depth 1", |c| {
            c.chain = chain(1);
            c.chain[0].claims["del_depth"] = json!(1);
        }),
        refused(
            "root-scope",
            "root_other_server",
            "a root that grants a tool of a server its key may not speak for",
            |c| {
                c.tools(0)["mail#send"] = json!({});
            },
        ),
        refused(
            "root-scope",
            "narrow_root_other_tool",
            "a root that grants another tool than the one its key may speak for",
            |c| {
                narrow_root(c);
                c.tools(0)["files#write_file"] = json!({});
            },
        ),
        accepted("narrow_root", "a root whose key may speak for this one tool", narrow_root),
    ]
}

fn narrow_root(call: &mut Call) {
    let root = &mut call.chain[0];
    (root.kid, root.by) = (NARROW_ROOT, NARROW_ROOT);
    root.claims["iss"] = json!("deputy");
}

fn signatures() -> Vec<Vector> {
    vec![
        refused("chain-signature", "root_signature_flipped", "a root's signature with one bit wrong", |c| {
            c.chain[0].signature = flipped;
        }),
        refused("chain-signature", "leaf_signature_flipped", "a leaf's signature with one bit wrong", |c| {
            c.chain[1].signature = flipped;
        }),
        refused("chain-signature", "root_signature_s_plus_l", "a root's signature with s + L for s", |c| {
            c.chain[0].signature = points::unreduced_s;
        }),
        refused(
            "chain-signature",
            "leaf_signature_small_order_r",
            "a leaf's signature whose R is of small order",
            |c| {
                c.chain[1].signature = points::small_order_r;
            },
        ),
        refused(
            "chain-signature",
            "leaf_by_a_stranger",
            "a leaf signed by a key that its parent does not confirm",
            |c| {
                (c.chain[1].kid, c.chain[1].by) = (STRANGER, STRANGER);
            },
        ),
        refused(
            "chain-signature",
            "leaf_by_the_root",
            "a leaf signed by the root's key in place of its holder's",
            |c| {
                (c.chain[1].kid, c.chain[1].by) = (ROOT, ROOT);
            },
        ),
        refused("chain-signature", "leaf_by_itself", "a leaf signed by the key it confirms itself", |c| {
            (c.chain[1].kid, c.chain[1].by) = (AGENT, AGENT);
        }),
        refused("chain-signature", "leaf_kid_of_a_stranger", "a leaf with a good signature under another kid", |c| {
            c.chain[1].kid = STRANGER;
        }),
        refused("chain-signature", "middle_dropped", "a chain of three without its middle", |c| {
            c.chain = chain(3);
            c.relink = |t| vec![t[0].clone(), t[2].clone()];
        }),
        refused("chain-signature", "two_roots", "the root twice", |c| {
            c.relink = |t| vec![t[0].clone(), t[0].clone(), t[1].clone()];
        }),
        refused("chain-signature", "leaf_twice", "the leaf twice", |c| {
            c.relink = |t| vec![t[0].clone(), t[1].clone(), t[1].clone()];
        }),
        refused("chain-signature", "middle_swapped", "two tokens in the middle of four in each other's place", |c| {
            c.chain = chain(4);
            c.relink = |t| vec![t[0].clone(), t[2].clone(), t[1].clone(), t[3].clone()];
        }),
    ]
}

fn linkage() -> Vec<Vector> {
    vec![
        refused(
            "chain-linkage",
            "par_hash_of_the_token",
            "a par_hash over the parent's whole text in place of its signing input",
            |c| {
                let parent = c.chain[0].compact();
                c.chain[1].claims["par_hash"] = json!(hash(parent));
            },
        ),
        refused("chain-linkage", "no_par_hash", "a child without par_hash", |c| {
            c.chain[1].claims.as_object_mut().unwrap().remove("par_hash");
        }),
        refused("chain-linkage", "spliced", "a child under another root by the same keys", |c| {
            // Made for a root that differs in its name alone.
            let mut other = c.chain[0].clone();
            other.claims["jti"] = json!("another");
            c.chain[1].claims["par_hash"] = json!(hash(other.signing_input()));
        }),
        refused("chain-linkage", "child_other_issuer", "a child with its root's issuer", |c| {
            c.chain[1].claims["iss"] = json!("owner");
        }),
        refused(
            "chain-linkage",
            "child_issuer_bare",
            "a child with its parent's thumbprint and no URI around it",
            |c| {
                c.chain[1].claims["iss"] = json!(thumbprint(HOLDER));
            },
        ),
        refused("chain-linkage", "child_issuer_own_key", "a child with its own key's thumbprint for issuer", |c| {
            c.chain[1].claims["iss"] = json!(derived_issuer(AGENT));
        }),
        refused("holder-mismatch", "held_by_another", "a leaf that another key holds", |c| {
            c.chain[1].claims["cnf"]["jwk"] = jwk(STRANGER);
        }),
        refused("holder-mismatch", "held_by_the_parent", "a chain that stops one token too early", |c| {
            c.relink = |t| vec![t[0].clone()];
        }),
    ]
}

fn depth_and_life() -> Vec<Vector> {
    vec![
        refused("chain-depth", "child_same_depth", "a child of its parent's depth", |c| {
            c.chain[1].claims["del_depth"] = json!(0);
        }),
        refused("chain-depth", "child_skips_depth", "a child two deeper than its parent", |c| {
            c.chain[1].claims["del_depth"] = json!(2);
        }),
        refused("chain-depth", "not_to_be_derived", "a child of a root that allows none", |c| {
            for token in &mut c.chain {
                token.claims["del_max_depth"] = json!(0);
            }
        }),
        refused("chain-depth", "max_depth_grows", "a child that allows more derivations than its parent", |c| {
            c.chain[1].claims["del_max_depth"] = json!(5);
        }),
        accepted("deepest", "a child as deep as its root allows", |c| {
            for token in &mut c.chain {
                token.claims["del_max_depth"] = json!(1);
            }
        }),
        refused("chain-lifetime", "outlives", "a child that is good a second longer than its parent", |c| {
            c.chain[1].claims["exp"] = json!(NOW + 1001);
        }),
        refused("chain-lifetime", "older", "a child that is a second older than its parent", |c| {
            c.chain[1].claims["iat"] = json!(NOW - 101);
        }),
        accepted("one_token", "a root that the agent itself holds", |c| c.chain = chain(1)),
        accepted("nine_tokens", "nine tokens, the longest chain", |c| c.chain = chain(9)),
        refused("too-large", "ten_tokens", "ten tokens", |c| c.chain = chain(10)),
    ]
}

fn widened(name: &str, comment: &str, root: Value, leaf: Value, arguments: Value) -> Vector {
    refused("widened", name, comment, |c| {
        *c.tools(0) = json!({"files#read_file": root});
        *c.tools(1) = json!({"files#read_file": leaf});
        c.params()["arguments"] = arguments;
    })
}

fn widening() -> Vec<Vector> {
    let any = || json!({"constraint_type": "wildcard"});
    let mut all = vec![
        refused("widened", "widened_tool", "a child that grants a tool which its parent does not", |c| {
            c.tools(1)["files#write_file"] = json!({});
        }),
        refused("widened", "widened_in_the_middle", "a child that widens, and a grandchild that narrows again", |c| {
            c.chain = chain(3);
            c.tools(1)["files#write_file"] = json!({});
        }),
        widened(
            "widened_open",
            "a child that drops all constraints of a tool",
            json!({"path": any()}),
            json!({}),
            json!({"path": "/a"}),
        ),
        widened(
            "widened_argument_more",
            "a child that allows an argument which its parent does not",
            json!({"path": any()}),
            json!({"path": any(), "mode": any()}),
            json!({"path": "/a", "mode": 1}),
        ),
        widened(
            "widened_argument_fewer",
            "a child that lets an argument be left out which its parent requires",
            json!({"path": any(), "mode": any()}),
            json!({"path": any()}),
            json!({"path": "/a"}),
        ),
        widened(
            "widened_argument_other",
            "a child that names another argument",
            json!({"path": any()}),
            json!({"mode": any()}),
            json!({"mode": 1}),
        ),
        accepted("narrowed_open", "a child that names arguments where its parent allows any", |c| {
            *c.tools(0) = json!({"files#read_file": {}});
        }),
        accepted("narrowed_tools", "a child that grants one of two tools", |c| {
            c.tools(0)["files#write_file"] = json!({});
            *c.tools(1) = read_file();
        }),
    ];
    for (name, comment, parent, child, value) in WIDER {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let arguments = json!({"path": read(value)});
        let (root, leaf) = (json!({"path": read(parent)}), json!({"path": read(child)}));
        all.push(widened(&format!("widened_{name}"), comment, root, leaf, arguments));
    }
    all
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [roots(), signatures(), linkage(), depth_and_life(), widening()].concat()
}
