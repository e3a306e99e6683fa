//! The family `delegation`: the claims of one token. How tokens fit together is in `chain`.

use serde_json::{Map, Value, json};

use super::call::{Call, ROOT, chain, read_file};
use super::file::Vector;
use super::points;
use super::token::{b64, hash};

fn refused(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    // A chain of one, so that no other token has to follow suit.
    let call = Call::with(|call| {
        call.chain = chain(1);
        edit(&mut call.chain[0].claims);
    });
    Vector::request(format!("delegation_{name}"), comment, call.bytes()).refused("token-claims").about("delegation 0")
}

fn accepted(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    let call = Call::with(|call| {
        call.chain = chain(1);
        edit(&mut call.chain[0].claims);
    });
    Vector::request(format!("delegation_{name}"), comment, call.bytes()).accepted(&call.forward())
}

fn detail(name: &str, comment: &str, edit: impl FnOnce(&mut Value)) -> Vector {
    refused(name, comment, |c| edit(&mut c["authorization_details"]))
}

fn tools(name: &str, comment: &str, value: Value) -> Vector {
    refused(name, comment, |c| c["authorization_details"][0]["tools"] = value)
}

fn constraint(name: &str, comment: &str, value: Value) -> Vector {
    tools(name, comment, json!({"files#read_file": {"path": value}}))
}

/// `n` members with the same value.
fn many(n: usize, name: impl Fn(usize) -> String, value: &Value) -> Map<String, Value> {
    (0..n).map(|i| (name(i), value.clone())).collect()
}

fn plain_claims() -> Vec<Vector> {
    let needed = ["authorization_details", "cnf", "del_depth", "del_max_depth", "exp", "iat", "iss", "jti"];
    let mut all: Vec<Vector> = needed
        .iter()
        .map(|claim| {
            refused(&format!("no_{claim}"), &format!("no claim {claim}"), |c| {
                c.as_object_mut().unwrap().remove(*claim);
            })
        })
        .collect();
    all.extend([
        accepted("unknown_claim", "a claim that the draft does not have is ignored, as the draft asks", |c| {
            c["purpose"] = json!("report");
        }),
        refused("claim_aud", "an audience, a restriction that is not applied", |c| c["aud"] = json!("files")),
        refused("claim_nbf", "a start, a restriction that is not applied", |c| c["nbf"] = json!(1_799_999_990)),
        accepted("uuid", "a jti that is a UUID in lower case", |c| {
            c["jti"] = json!("0189d3c4-7f2a-7c3e-8b1d-5a6f7e8d9c0b");
        }),
        refused("uuid_upper_case", "a jti that is a UUID in upper case", |c| {
            c["jti"] = json!("0189D3C4-7F2A-7C3E-8B1D-5A6F7E8D9C0B");
        }),
        accepted("jti_35_upper_case", "35 hex digits and hyphens in upper case are no UUID", |c| {
            c["jti"] = json!("0189D3C4-7F2A-7C3E-8B1D-5A6F7E8D9C0");
        }),
        accepted("jti_37_upper_case", "37 hex digits and hyphens in upper case are no UUID", |c| {
            c["jti"] = json!("0189D3C4-7F2A-7C3E-8B1D-5A6F7E8D9C0BB");
        }),
        accepted("jti_36_not_hex", "36 characters in upper case, one of them no hex digit, are no UUID", |c| {
            c["jti"] = json!("0189D3C4-7F2A-7C3E-8B1D-5A6F7E8D9C0G");
        }),
        accepted("jti_256", "a jti of 256 bytes, the longest", |c| c["jti"] = json!("j".repeat(256))),
        refused("jti_257", "a jti of 257 bytes", |c| c["jti"] = json!("j".repeat(257))),
        accepted("claim_sub", "a subject is a claim like any other that is ignored", |c| c["sub"] = json!(7)),
        refused("jti_empty", "an empty jti", |c| c["jti"] = json!("")),
        refused("jti_number", "a number for the jti", |c| c["jti"] = json!(1)),
        refused("issuer_nul", "an issuer with a NUL", |c| c["iss"] = json!("owner\0")),
        refused("depth_negative", "a negative depth", |c| c["del_depth"] = json!(-1)),
        refused("depth_fraction", "a depth with a fraction", |c| c["del_depth"] = json!(0.5)),
        refused("max_depth_text", "a depth as a string", |c| c["del_max_depth"] = json!("4")),
        refused("par_hash_null", "a par_hash that is null", |c| {
            // The generator fills in a null; so one is put where no parent is.
            c["par_hash"] = Value::Null;
        }),
        refused("par_hash_short", "a par_hash of 31 bytes", |c| c["par_hash"] = json!(b64([1; 31]))),
        refused("cnf_small_order", "a holder's key of small order", |c| {
            c["cnf"]["jwk"]["x"] = json!(b64(points::small_order()[4]));
        }),
        refused("cnf_mixed_order", "a holder's key outside the prime-order group", |c| {
            c["cnf"]["jwk"]["x"] = json!(b64(points::mixed_order(ROOT)));
        }),
        refused("cnf_thumbprint", "a holder named by thumbprint in place of its key", |c| {
            c["cnf"] = json!({"jkt": hash("a")});
        }),
    ]);
    all
}

fn details() -> Vec<Vector> {
    let wildcard = json!({"constraint_type": "wildcard"});
    vec![
        detail("no_detail", "no authorization detail", |d| *d = json!([])),
        detail("two_details", "two authorization details: the second might be a restriction", |d| {
            *d = json!([d[0], d[0]])
        }),
        detail("other_detail", "a detail of another type", |d| d[0]["type"] = json!("payment_initiation")),
        detail("flow_detail", "a detail that this version does not know yet", |d| {
            d[0]["type"] = json!(attest_core::names::FLOW);
        }),
        detail("detail_member", "a member that the detail does not have: it might be a restriction", |d| {
            d[0]["locations"] = json!(["https://example.com"]);
        }),
        tools("tools_array", "tools as an array of names", json!(["files#read_file"])),
        tools("arguments_array", "arguments as an array", json!({"files#read_file": []})),
        tools("arguments_true", "true in place of arguments", json!({"files#read_file": true})),
        tools("tool_without_audience", "a tool without its server", json!({"read_file": {}})),
        tools("tool_empty_audience", "a tool of a server without a name", json!({"#read_file": {}})),
        tools("tool_empty_name", "a tool without a name", json!({"files#": {}})),
        tools("tool_control", "a tool with a control character", json!({"files#read_file\t": {}})),
        tools("257_tools", "257 tools", json!(many(257, |i| format!("files#t{i}"), &json!({})))),
        tools(
            "65_arguments",
            "65 constrained arguments of one tool",
            json!({"files#read_file": many(65, |i| format!("a{i}"), &wildcard)}),
        ),
        constraint(
            "constraint_unknown",
            "a constraint of a type that is not known",
            json!({"constraint_type": "regex", "pattern": ".*"}),
        ),
        constraint("constraint_text", "a string in place of a constraint", json!("/srv/report.txt")),
        constraint("constraint_no_type", "a constraint without its type", json!({"value": 1})),
        constraint(
            "constraint_member",
            "a member that the constraint does not have: it might be a restriction",
            json!({"constraint_type": "wildcard", "unless": "/etc"}),
        ),
        tools("1025_nodes", "1025 constraints and listed values in one token", {
            let listed: Vec<u32> = (0..1024).collect();
            json!({"files#read_file": {"path": {"constraint_type": "one_of", "values": listed}}})
        }),
        tools("1025_nodes_of_two_tools", "1025 constraints and listed values, summed over two tools", {
            let listed = |n: usize| json!({"constraint_type": "one_of", "values": vec![1; n]});
            json!({"files#read_file": {"path": listed(511)}, "files#x": {"path": listed(512)}})
        }),
        {
            let ten = many(10, |i| format!("files#t{i}"), &json!({"a": {"constraint_type": "wildcard"}}));
            accepted("many_tools", "several tools, of which the call needs one", |c| {
                let mut all = read_file();
                all.as_object_mut().unwrap().extend(ten);
                c["authorization_details"][0]["tools"] = all;
            })
        },
        accepted("open_arguments", "a tool with no named argument: any arguments", |c| {
            c["authorization_details"][0]["tools"] = json!({"files#read_file": {}});
        }),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [plain_claims(), details()].concat()
}
