//! The family `carrier`: the member of `_meta` that holds the tokens.

mod short;

pub(super) use short::shorten;

use serde_json::{Value, json};

use super::call::{AGENT, Call, chain};
use super::file::Vector;
use super::token::b64;

fn refused(code: &str, name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    let sent = Call::default().sign().with(|sent| edit(&mut sent.carrier));
    Vector::request(format!("carrier_{name}"), comment, sent.bytes()).refused(code)
}

fn bad(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    refused("bad-carrier", name, comment, edit)
}

/// A call with five long tokens of delegation, none too long for itself, all tokens being `size` bytes together.
fn heavy(size: usize) -> Call {
    const PAD: usize = 38_000;
    let padded = |root: usize, child: usize| {
        Call::with(|call| {
            call.chain = chain(5);
            for (n, token) in call.chain.iter_mut().enumerate() {
                let pad = if n == 0 {
                    root
                } else if n == 1 {
                    child
                } else {
                    PAD
                };
                token.claims["pad"] = json!("x".repeat(pad));
            }
        })
    };
    let length = |call: &Call| {
        let carrier = call.sign().carrier;
        let chain = carrier["del"].as_array().unwrap();
        let tokens = chain.iter().chain([&carrier["att"], &carrier["prf"]]);
        tokens.map(|token| token.as_str().unwrap().len()).sum::<usize>()
    };
    // Three bytes make four characters, or two or three where they end a token: two tokens reach every sum.
    let root = PAD + (size - length(&padded(PAD, PAD))) / 4 * 3;
    let mut tries = (0..3).flat_map(|a| (0..3).map(move |b| (root + a, PAD + b)));
    tries.find_map(|(a, b)| Some(padded(a, b)).filter(|call| length(call) == size)).expect("tokens of this sum")
}

/// A call that discloses a list of tools, of which any is accepted: as it is, and with the verdict that it passes.
fn disclosed(name: &str, comment: &str, text: &str) -> (Vector, Vector) {
    let call = Call::with(|call| {
        let tools = super::call::measurement("tool-manifest", &super::token::hash(text), 2);
        call.attestation.claims["measurements"][1] = tools;
    });
    let sent = call.sign().with(|sent| sent.carrier["dis"] = json!([text]));
    let vector = Vector::request(format!("carrier_{name}"), comment, sent.bytes());
    (vector.clone(), vector.accepted(&call.forward()))
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    let mut all: Vec<Vector> = ["att", "del", "prf", "salt"]
        .iter()
        .map(|member| {
            bad(&format!("no_{member}"), &format!("no {member}"), |c| {
                c.as_object_mut().unwrap().remove(*member);
            })
        })
        .collect();
    all.extend([
        bad("text", "a string in place of the object", |c| *c = json!("proof")),
        bad("null", "null in place of the object", |c| *c = Value::Null),
        bad("array", "an array in place of the object", |c| *c = json!([c["att"]])),
        bad("receipts_none", "an empty list of receipts", |c| c["rcp"] = json!([])),
        bad("receipts_text", "a receipt that is in no list", |c| c["rcp"] = c["prf"].clone()),
        bad("receipts_number", "a number for a receipt", |c| c["rcp"] = json!([1])),
        bad("receipts_17", "17 receipts", |c| c["rcp"] = json!(vec![c["prf"].clone(); 17])),
        bad("grant_none", "an empty chain for the server", |c| c["grt"] = json!([])),
        bad("grant_text", "a chain for the server in one string", |c| c["grt"] = json!("root")),
        bad("grant_10", "a chain of ten tokens for the server", |c| c["grt"] = json!(vec!["token"; 10])),
        bad("cause_list", "a list of causes", |c| c["cause"] = json!([c["prf"]])),
        bad("declassifications_none", "an empty list of declassifications", |c| c["dcl"] = json!([])),
        bad("declassifications_5", "five declassifications", |c| {
            c["dcl"] = json!(vec![json!({"salt": b64([8; 16]), "token": c["prf"]}); 5]);
        }),
        bad("declassification_text", "a declassification without its salt", |c| c["dcl"] = json!([c["prf"]])),
        bad("declassification_salt_short", "a declassification's salt of 15 bytes", |c| {
            c["dcl"] = json!([{"salt": b64([8; 15]), "token": c["prf"]}]);
        }),
        bad("declassification_member", "a member that it does not have", |c| {
            c["dcl"] = json!([{"for": "x", "salt": b64([8; 16]), "token": c["prf"]}]);
        }),
        refused("token-encoding", "cause_text", "a cause that is no token", |c| c["cause"] = json!("x")).about("cause"),
        refused(
            "token-encoding",
            "receipts_before_cause",
            "a receipt that is no token, which is read before the cause",
            |c| {
                c["rcp"] = json!(["x"]);
                c["cause"] = json!("x");
            },
        )
        .about("receipt 0"),
        refused("token-header", "prf_before_receipts", "a call proof that is none is read before the receipts", |c| {
            c["prf"] = c["att"].clone();
            c["rcp"] = json!(["x"]);
        })
        .about("call proof"),
        bad("att_case", "a member in another case", |c| {
            let att = c.as_object_mut().unwrap().remove("att").unwrap();
            c["Att"] = att;
        }),
        bad("att_number", "a number for the attestation", |c| c["att"] = json!(1)),
        bad("prf_array", "an array of call proofs", |c| c["prf"] = json!([c["prf"]])),
        bad("del_text", "one token in place of the chain", |c| c["del"] = c["del"][1].clone()),
        bad("del_empty", "an empty chain", |c| c["del"] = json!([])),
        bad("del_nested", "a chain within the chain", |c| c["del"] = json!([c["del"]])),
        bad("salt_short", "a salt of 15 bytes", |c| c["salt"] = json!(b64([7; 15]))),
        bad("salt_padded", "a salt with padding", |c| c["salt"] = json!(format!("{}==", b64([7; 16])))),
        bad("salt_stray_bit", "a salt with an unused bit set", |c| {
            c["salt"] = json!(super::token::stray_bit(&b64([7; 16])));
        }),
        refused(
            "token-encoding",
            "att_and_root",
            "attestation and root in one string with a comma between them",
            |c| {
                // A cache that joins the tokens with commas must not take it for the two.
                let att = format!("{},{}", c["att"].as_str().unwrap(), c["del"][0].as_str().unwrap());
                c["att"] = json!(att);
                c["del"] = json!([c["del"][1]]);
            },
        )
        .about("attestation"),
        refused("token-encoding", "del_in_one", "the chain in one string with a comma between the tokens", |c| {
            c["del"] = json!([format!("{},{}", c["del"][0].as_str().unwrap(), c["del"][1].as_str().unwrap())]);
        })
        .about("delegation 0"),
        disclosed("dis_longest", "262144 bytes disclosed, the most", &"x".repeat(262_144)).1,
        disclosed("dis_too_large", "262145 bytes disclosed", &"x".repeat(262_145)).0.refused("too-large"),
        disclosed("dis_escaped", "a text that is longer in JSON than it is", "\"\u{1}\\").1,
        {
            let longest = heavy(262_144);
            Vector::request("carrier_sum_longest", "tokens of 262144 bytes together, the most", longest.bytes())
                .accepted(&longest.forward())
        },
        {
            let longest = heavy(262_144).sign().with(|sent| sent.carrier["cause"] = json!("x"));
            Vector::request("carrier_sum_too_large_cause", "tokens of 262144 bytes and a cause of one", longest.bytes())
                .refused("too-large")
        },
        {
            let longest = heavy(262_144).sign().with(|sent| sent.carrier["grt"] = json!(["x"]));
            Vector::request("carrier_sum_too_large_grant", "the same with a chain for the server", longest.bytes())
                .refused("too-large")
        },
        {
            let longest = heavy(262_144).sign().with(|sent| sent.carrier["rcp"] = json!(["x"]));
            Vector::request("carrier_sum_too_large_receipt", "the same with a receipt", longest.bytes())
                .refused("too-large")
        },
        {
            let longest = heavy(262_144).sign();
            let longest = longest.with(|sent| sent.carrier["dcl"] = json!([{"salt": b64([8; 16]), "token": "x"}]));
            Vector::request(
                "carrier_sum_too_large_declassification",
                "the same with a declassification",
                longest.bytes(),
            )
            .refused("too-large")
        },
        Vector::request(
            "carrier_sum_too_large",
            "tokens of 262145 bytes, too long only when taken together",
            heavy(262_145).bytes(),
        )
        .refused("too-large"),
    ]);
    all.extend(short::vectors());
    all
}
