//! The family `verification`: times, replay, states, and what the leaf grants.

use serde_json::{Value, json};

use super::call::{AGENT, Call, HOLDER, NOW, chain, measurement};
use super::file::Vector;
use super::token::{Token, b64, hash, thumbprint};

/// Seconds by which clocks may differ, in the trust configuration.
const SKEW: u64 = 30;

fn request(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> (Vector, Call) {
    let call = Call::with(edit);
    (Vector::request(format!("verification_{name}"), comment, call.bytes()), call)
}

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    request(name, comment, edit).0.refused(code)
}

fn accepted(name: &str, comment: &str, edit: impl FnOnce(&mut Call)) -> Vector {
    let (vector, call) = request(name, comment, edit);
    vector.accepted(&call.forward())
}

/// One kind of token: name, as `about` has it, longest life, and where it is in a call.
type Kind = (&'static str, &'static str, u64, fn(&mut Call) -> &mut Token);

const KINDS: [Kind; 3] = [
    ("attestation", "attestation", 3_600, |call| &mut call.attestation),
    ("delegation", "delegation 0", 90 * 86_400, |call| &mut call.chain[0]),
    ("call_proof", "call proof", 300, |call| &mut call.proof),
];

fn times() -> Vec<Vector> {
    let mut all = Vec::new();
    for (kind, about, longest, token) in KINDS {
        // A chain of one, so that no child outlives or precedes the token in question.
        let timed = |name: &str, comment: &str, iat: u64, exp: u64| {
            request(&format!("{kind}_{name}"), comment, |call| {
                call.chain = chain(1);
                let claims = &mut token(call).claims;
                (claims["iat"], claims["exp"]) = (json!(iat), json!(exp));
            })
        };
        let bad = |code: &str, name: &str, comment: &str, iat, exp| {
            timed(name, comment, iat, exp).0.refused(code).about(about)
        };
        let good = |name: &str, comment: &str, iat, exp| {
            let (vector, call) = timed(name, comment, iat, exp);
            vector.accepted(&call.forward())
        };
        all.extend([
            bad("expired", "expired", "expired", NOW - 200, NOW - 100),
            bad("expired", "expired_at_the_limit", "expired by exactly the skew", NOW - 60, NOW - SKEW),
            good("not_expired_within_skew", "expired by a second less than the skew", NOW - 60, NOW - SKEW + 1),
            bad("not-yet-valid", "future", "dated in the future", NOW + 100, NOW + 200),
            bad(
                "not-yet-valid",
                "future_beyond_skew",
                "dated a second more than the skew in the future",
                NOW + SKEW + 1,
                NOW + 100,
            ),
            good("future_within_skew", "dated exactly the skew in the future", NOW + SKEW, NOW + 100),
            bad(
                "life-too-long",
                "life_too_long",
                "a life of one second more than allowed",
                NOW - 10,
                NOW - 10 + longest + 1,
            ),
            good("longest_life", "the longest life that is allowed", NOW - 10, NOW - 10 + longest),
            bad("life-too-long", "no_life", "a life of no seconds", NOW, NOW),
            bad("life-too-long", "life_backwards", "an end before its beginning", NOW, NOW - 1),
        ]);
    }
    all.push(
        refused("expired", "leaf_expired", "a leaf that expired, under a root that did not", |call| {
            call.chain[1].claims["exp"] = json!(NOW - 40);
        })
        .about("delegation 1"),
    );
    let (call, later) = (Call::default(), NOW + 60 + SKEW);
    let at =
        |name: &str, comment: &str, now| Vector::request(format!("verification_{name}"), comment, call.bytes()).at(now);
    all.extend([
        at("last_second", "the default call in the last second of its proof and the skew", later - 1)
            .accepted(&call.forward()),
        at("one_second_late", "the default call a second later", later).refused("expired").about("call proof"),
        at("at_the_epoch", "a clock that stands at 1970", 0).refused("not-yet-valid").about("attestation"),
        at("far_future", "a clock far ahead", u64::MAX).refused("expired").about("attestation"),
    ]);
    all
}

fn replay() -> Vec<Vector> {
    let call = Call::default();
    let seen = |name: &str, comment: &str, seed: u8, jti: [u8; 16]| {
        let seen = format!("{}/{}", thumbprint(seed), b64(jti));
        Vector::request(format!("verification_{name}"), comment, call.bytes()).with("seen", &seen)
    };
    vec![
        seen("replay", "a jti that this key has used", AGENT, [6; 16]).refused("replay"),
        seen("jti_of_another_key", "a jti that another key has used", HOLDER, [6; 16]).accepted(&call.forward()),
        seen("other_jti", "another jti of this key has been seen", AGENT, [1; 16]).accepted(&call.forward()),
    ]
}

/// Weights of which one digest is endorsed and another is only listed; only endorsed ones are accepted.
fn endorsed() -> Vec<Vector> {
    const WEIGHTS: &str = "model-weights";
    let shown = |name: &str, comment: &str, weights: &str, grade: u8| {
        let (vector, call) = request(name, comment, |call| {
            call.attestation.claims["sub"] = json!("newcomer");
            let m = &mut call.attestation.claims["measurements"];
            *m = json!([measurement(WEIGHTS, &hash(weights), grade), m[0], m[1]]);
        });
        (vector.with("trust", super::ENDORSED_FILE), call)
    };
    let bad = |code: &str, name: &str, comment: &str, weights: &str, grade| {
        shown(name, comment, weights, grade).0.refused(code).about(WEIGHTS)
    };
    let (good, call) = shown("endorsed", "weights that a publisher endorses", "endorsed weights", 1);
    vec![
        good.accepted(&call.forward()),
        bad(
            "grade-too-low",
            "endorsed_not",
            "weights that the operator lists and nobody endorses",
            "listed weights",
            2,
        ),
        bad("grade-too-low", "endorsed_asserted", "endorsed weights on somebody's word", "endorsed weights", 0),
        bad("state-mismatch", "endorsed_other", "weights that nobody knows", "other weights", 1),
    ]
}

fn states() -> Vec<Vector> {
    let edit = |name: &str, comment: &str, edit: fn(&mut Value)| {
        request(name, comment, |call| edit(&mut call.attestation.claims["measurements"]))
    };
    let bad = |code: &str, component: &str, name: &str, comment: &str, change| {
        edit(name, comment, change).0.refused(code).about(component)
    };
    let good = |name: &str, comment: &str, change| {
        let (vector, call) = edit(name, comment, change);
        vector.accepted(&call.forward())
    };
    const PROMPT: &str = "system-prompt";
    vec![
        bad("state-mismatch", PROMPT, "state_other", "a prompt that is not accepted", |m| {
            m[0] = measurement(PROMPT, &hash("another prompt"), 1);
        }),
        good("state_second_digest", "the second of two accepted prompts", |m| {
            m[0] = measurement(PROMPT, &hash("the next prompt"), 1)
        }),
        good("state_any", "any digest, where the operator wrote `any`", |m| {
            m[1] = measurement("tool-manifest", &hash("x"), 0)
        }),
        bad("grade-too-low", PROMPT, "grade_asserted", "somebody's word where the files must have been hashed", |m| {
            m[0] = measurement(PROMPT, &hash("the prompt"), 0);
        }),
        good("grade_higher", "a better grade than is required", |m| m[0] = measurement(PROMPT, &hash("the prompt"), 2)),
        bad("component-missing", PROMPT, "component_missing", "a required component is not shown", |m| {
            *m = json!([m[1]])
        }),
        bad(
            "component-missing",
            "tool-manifest",
            "component_missing_any",
            "a component is not shown for which any digest would do",
            |m| {
                *m = json!([m[0]]);
            },
        ),
        bad(
            "no-reference",
            "model-ref",
            "component_no_reference",
            "a component for which there is no reference value",
            |m| {
                *m = json!([measurement("model-ref", &hash("a model"), 2), m[0], m[1]]);
            },
        ),
        bad(
            "no-reference",
            "model-tensors",
            "tensors_no_reference",
            "tensors and weights, and no reference value for either: the first of them is named",
            |m| {
                let [tensors, weights] =
                    ["model-tensors", "model-weights"].map(|name| measurement(name, &hash(name), 1));
                *m = json!([tensors, weights, m[0], m[1]]);
            },
        ),
        refused(
            "no-reference",
            "agent_empty_reference",
            "an agent whose references are {}: no component is let through",
            |call| {
                call.attestation.claims["sub"] = json!("blank");
            },
        )
        .about(PROMPT),
        refused("no-reference", "agent_no_reference", "an agent for which there are no reference values", |call| {
            call.attestation.claims["sub"] = json!("newcomer");
        }),
    ]
}

/// `path` is so constrained, by every token of the chain; the call has these arguments.
fn granted(name: &str, comment: &str, constraints: &Value, arguments: Option<Value>) -> (Vector, Call) {
    request(name, comment, |call| {
        for n in 0..2 {
            call.tools(n)["files#read_file"] = constraints.clone();
        }
        let params = call.params().as_object_mut().unwrap();
        match arguments {
            Some(arguments) => params.insert("arguments".to_owned(), arguments),
            None => params.remove("arguments"),
        };
    })
}

fn grants() -> Vec<Vector> {
    let path = json!({"path": {"constraint_type": "one_of", "values": ["/srv/report.txt", null]}});
    let open = json!({});
    let tool = |name: &str, comment: &str, tool: &str| {
        accepted(name, comment, |call| {
            for n in 0..2 {
                *call.tools(n) = json!({format!("files#{tool}"): {}});
            }
            call.params()["name"] = json!(tool);
        })
    };
    let bad = |name: &str, comment: &str, constraints: &Value, arguments| {
        granted(name, comment, constraints, arguments).0.refused("arguments-not-granted")
    };
    let good = |name: &str, comment: &str, constraints: &Value, arguments| {
        let (vector, call) = granted(name, comment, constraints, arguments);
        vector.accepted(&call.forward())
    };
    vec![
        refused("tool-not-granted", "tool_not_granted", "a tool that the chain does not grant", |call| {
            call.params()["name"] = json!("write_file");
        }),
        refused(
            "tool-not-granted",
            "tool_dropped_by_leaf",
            "a tool that the root grants and the leaf does not",
            |call| {
                call.tools(0)["files#write_file"] = json!({});
                call.params()["name"] = json!("write_file");
            },
        ),
        refused("tool-not-granted", "tool_case", "a granted tool in another case", |call| {
            call.params()["name"] = json!("Read_File")
        }),
        refused("tool-not-granted", "tool_qualified", "a tool called by its qualified name", |call| {
            call.params()["name"] = json!("files#read_file");
        }),
        tool("tool_256_bytes", "a tool with a name of 256 bytes, the longest", &"\u{e9}".repeat(128)),
        tool("tool_no_control", "U+00A0 is no control character", "a\u{a0}b"),
        refused("tool-not-granted", "no_tools", "a chain that grants nothing", |call| {
            *call.tools(0) = json!({});
            *call.tools(1) = json!({});
        }),
        accepted("tool_with_hash", "a tool with a # in its name", |call| {
            for n in 0..2 {
                *call.tools(n) = json!({"files#read#file": {}});
            }
            call.params()["name"] = json!("read#file");
        }),
        bad(
            "argument_other",
            "an argument with a value that is not granted",
            &path,
            Some(json!({"path": "/etc/shadow"})),
        ),
        bad(
            "argument_more",
            "an argument that the grant does not name",
            &path,
            Some(json!({"path": "/srv/report.txt", "mode": "r"})),
        ),
        bad("argument_missing", "an argument that the grant names is absent", &path, Some(json!({}))),
        bad("arguments_absent", "no arguments where the grant names one", &path, None),
        bad("argument_case", "an argument in another case", &path, Some(json!({"Path": "/srv/report.txt"}))),
        bad("argument_array", "the granted value within an array", &path, Some(json!({"path": ["/srv/report.txt"]}))),
        good("argument_null", "null where null is granted", &path, Some(json!({"path": null}))),
        good(
            "open_any",
            "any arguments where the grant names none",
            &open,
            Some(json!({"path": "/etc/shadow", "mode": 7})),
        ),
        good("open_absent", "no arguments where the grant names none", &open, None),
        good("open_empty", "empty arguments where the grant names none", &open, Some(json!({}))),
        {
            let mut other = Call::default();
            other.proof.claims["jti"] = json!(b64([2; 16]));
            Vector::request(
                "verification_second_call",
                "another call with the same attestation and chain",
                other.bytes(),
            )
            .accepted(&other.forward())
        },
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [times(), replay(), states(), endorsed(), grants()].concat()
}
