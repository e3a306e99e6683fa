//! The family `extension`: what client and server declare, in either era, and the messages it is put into and taken out of.

use attest_core::names::EXTENSION;
use serde_json::{Value, json};

use super::file::Vector;
use super::token::{b64, canonical};

const VERSION: &str = "io.modelcontextprotocol/protocolVersion";
const CAPABILITIES: &str = "io.modelcontextprotocol/clientCapabilities";

fn vector(kind: &str, name: &str, comment: &str, message: &Value) -> Vector {
    Vector::new(kind, format!("extension_{name}"), comment, super::token::text(message))
}

fn changed(vector: Vector, to: &Value) -> Vector {
    vector.with("expect", "changed").with("forward", &b64(canonical(to)))
}

fn unchanged(vector: Vector) -> Vector {
    vector.with("expect", "unchanged")
}

fn initialize(capabilities: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "capabilities": capabilities,
        "clientInfo": {"name": "host", "version": "1"},
        "protocolVersion": "2025-11-25",
    }})
}

/// A request of 2026-07-28 whose client has these capabilities.
fn modern(capabilities: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": {CAPABILITIES: capabilities, VERSION: "2026-07-28"}}})
}

fn answer(capabilities: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "result": {"capabilities": capabilities, "instructions": "x"}})
}

fn declared() -> Vec<Vector> {
    let at = |place: &str, name: &str, comment: &str, message: &Value| {
        vector("declare", &format!("{place}_{name}"), comment, message).with("where", place)
    };
    let once =
        |name: &str, comment: &str, capabilities: Value| at("initialize", name, comment, &initialize(&capabilities));
    let each = |name: &str, comment: &str, capabilities: Value| at("request", name, comment, &modern(&capabilities));
    let ours = json!({EXTENSION: {}});
    let mut all = vec![
        changed(once("bare", "no capabilities yet", json!({})), &initialize(&json!({"experimental": ours}))),
        changed(
            once("beside", "beside what is there", json!({"experimental": {"z.example/x": {"a": 1}}, "roots": {}})),
            &initialize(&json!({"experimental": {EXTENSION: {}, "z.example/x": {"a": 1}}, "roots": {}})),
        ),
        changed(
            once("forged", "whatever stood under our name", json!({"experimental": {EXTENSION: {"cache": true}}})),
            &initialize(&json!({"experimental": ours})),
        ),
        unchanged(once("there", "declared already", json!({"experimental": ours}))),
        unchanged(once("experimental_text", "an experimental that is no object", json!({"experimental": "x"}))),
        unchanged(once("capabilities_array", "capabilities that are no object", json!([]))),
        unchanged(at(
            "initialize",
            "no_params",
            "no params",
            &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize"}),
        )),
        unchanged(at("initialize", "other_method", "another method with capabilities", &{
            let mut other = initialize(&json!({}));
            other["method"] = json!("x/initialize");
            other
        })),
    ];
    all.extend([
        changed(each("bare", "no extensions yet", json!({})), &modern(&json!({"extensions": ours}))),
        changed(
            each("beside", "beside another extension", json!({"extensions": {"a.example/x": {}}, "roots": {}})),
            &modern(&json!({"extensions": {"a.example/x": {}, EXTENSION: {}}, "roots": {}})),
        ),
        changed(
            each("forged", "whatever stood under our name", json!({"extensions": {EXTENSION: 7}})),
            &modern(&json!({"extensions": ours})),
        ),
        unchanged(each("there", "declared already", json!({"extensions": ours}))),
        unchanged(each("extensions_null", "extensions that are no object: left alone", json!({"extensions": null}))),
        unchanged(each("capabilities_text", "capabilities that are no object", json!("x"))),
        unchanged(at(
            "request",
            "legacy",
            "a request of the earlier era",
            &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
        )),
    ]);
    all
}

fn eras() -> Vec<Vector> {
    let era = |name: &str, comment: &str, message: Value, expect: &str| {
        vector("era", &format!("era_{name}"), comment, &message).with("expect", expect)
    };
    let with_version = |version: Value| {
        let mut message = modern(&json!({}));
        message["params"]["_meta"][VERSION] = version;
        message
    };
    vec![
        era("modern", "a request that says its version, and declares nothing", modern(&json!({})), "modern"),
        era(
            "declared",
            "a request that declares the extension",
            modern(&json!({"extensions": {EXTENSION: {}}})),
            "declared",
        ),
        era(
            "declared_more",
            "settings that we do not know are ignored",
            modern(&json!({"extensions": {EXTENSION: {"x": 1}}})),
            "declared",
        ),
        era(
            "declared_true",
            "settings that are no object declare nothing",
            modern(&json!({"extensions": {EXTENSION: true}})),
            "modern",
        ),
        era(
            "declared_experimental",
            "the place of the earlier era declares nothing",
            modern(&json!({"experimental": {EXTENSION: {}}})),
            "modern",
        ),
        era(
            "extensions_array",
            "extensions that are no object declare nothing",
            modern(&json!({"extensions": [EXTENSION]})),
            "modern",
        ),
        era("version_number", "a version that is no string", with_version(json!(20_260_728)), "legacy"),
        era("no_meta", "no _meta", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}), "legacy"),
        era("no_params", "no params", json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}), "legacy"),
        era(
            "version_in_params",
            "a version outside _meta",
            json!({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {VERSION: "2026-07-28"}}),
            "legacy",
        ),
    ]
}

fn offers() -> Vec<Vector> {
    let settings = json!({"cache": true, "methods": ["prompts/get", "resources/read"]});
    let offer = |era: &str, name: &str, comment: &str, capabilities: &Value| {
        vector("offer", &format!("offer_{era}_{name}"), comment, &answer(capabilities))
            .with("era", era)
            .with("settings", &b64(canonical(&settings)))
    };
    let there = json!({EXTENSION: settings});
    let mut all = Vec::new();
    for (era, place, other) in [("legacy", "experimental", "extensions"), ("modern", "extensions", "experimental")] {
        all.extend([
            changed(
                offer(era, "bare", "no such capabilities yet", &json!({"tools": {}})),
                &answer(&json!({place: there, "tools": {}})),
            ),
            changed(
                offer(era, "beside", "beside another", &json!({place: {"a.example/x": {}}})),
                &answer(&json!({place: {"a.example/x": {}, EXTENSION: settings}})),
            ),
            changed(
                offer(
                    era,
                    "forged",
                    "what the server wrote under our name",
                    &json!({place: {EXTENSION: {"cache": false}}}),
                ),
                &answer(&json!({place: there})),
            ),
            changed(
                offer(
                    era,
                    "other_place",
                    "what it wrote in the other era's place goes",
                    &json!({place: there, other: {EXTENSION: {}}}),
                ),
                &answer(&json!({place: there})),
            ),
            changed(
                offer(
                    era,
                    "forged_number",
                    "1 is not true",
                    &json!({place: {EXTENSION: {"cache": 1, "methods": settings["methods"]}}}),
                ),
                &answer(&json!({place: there})),
            ),
            unchanged(offer(era, "there", "the very offer is there already", &json!({place: there}))),
            unchanged(offer(era, "place_text", "a place that is no object: left alone", &json!({place: "x"}))),
            unchanged(offer(era, "capabilities_null", "capabilities that are no object", &Value::Null)),
        ]);
    }
    all.push(unchanged(
        vector(
            "offer",
            "offer_error",
            "an error has no capabilities",
            &json!({"jsonrpc": "2.0", "id": 0, "error": {"code": -32601, "message": "x"}}),
        )
        .with("era", "modern")
        .with("settings", &b64(canonical(&settings))),
    ));
    all
}

fn readings() -> Vec<Vector> {
    let read = |era: &str, name: &str, comment: &str, capabilities: Value, offered: Option<Value>| {
        let vector = vector("offered", &format!("read_{name}"), comment, &answer(&capabilities)).with("era", era);
        match offered {
            Some(offered) => vector.with("expect", "yes").with("offered", &b64(canonical(&offered))),
            None => vector.with("expect", "no"),
        }
    };
    let of = |name: &str, comment: &str, settings: Value, offered: Option<Value>| {
        read("modern", name, comment, json!({"extensions": {EXTENSION: settings}}), offered)
    };
    let full = json!({"cache": true, "methods": ["prompts/get"]});
    let nothing = json!({"cache": false, "methods": []});
    vec![
        of("modern", "an offer", full.clone(), Some(full.clone())),
        read(
            "legacy",
            "legacy",
            "an offer in the earlier era",
            json!({"experimental": {EXTENSION: full}}),
            Some(full.clone()),
        ),
        read(
            "modern",
            "modern_in_experimental",
            "the other era's place counts for nothing",
            json!({"experimental": {EXTENSION: full}}),
            None,
        ),
        read(
            "legacy",
            "legacy_in_extensions",
            "the other era's place counts for nothing",
            json!({"extensions": {EXTENSION: full}}),
            None,
        ),
        read("modern", "none", "no offer", json!({"extensions": {}}), None),
        of("empty", "no settings: neither cache nor methods", json!({}), Some(nothing.clone())),
        of(
            "unknown",
            "settings that we do not know are ignored",
            json!({"cache": true, "methods": ["prompts/get"], "x": 1}),
            Some(full),
        ),
        of(
            "sorted",
            "methods in another order, and one twice",
            json!({"methods": ["b", "a", "b"]}),
            Some(json!({"cache": false, "methods": ["a", "b"]})),
        ),
        of(
            "order",
            "the order is that of bytes of UTF-8",
            json!({"methods": ["\u{1f600}", "\u{ff5e}"]}),
            Some(json!({"cache": false, "methods": ["\u{ff5e}", "\u{1f600}"]})),
        ),
        of(
            "tools_call",
            "tools/call needs a proof anyway, and is left out",
            json!({"methods": ["tools/call"]}),
            Some(nothing),
        ),
        of("cache_text", "a cache that is no boolean: not declared", json!({"cache": "yes", "methods": []}), None),
        of("cache_null", "null is no boolean", json!({"cache": null}), None),
        of("methods_text", "methods that are no array", json!({"methods": "prompts/get"}), None),
        of("methods_number", "a method that is no string", json!({"methods": [1]}), None),
        of("methods_empty", "a method without a name", json!({"methods": [""]}), None),
        of("methods_long", "a method of 257 bytes", json!({"methods": ["m".repeat(257)]}), None),
        of("methods_control", "a method with a control character", json!({"methods": ["a\n"]}), None),
        of("true", "settings that are no object", json!(true), None),
    ]
}

fn withheld() -> Vec<Vector> {
    let strip = |name: &str, comment: &str, capabilities: &Value| {
        vector("withhold", &format!("withhold_{name}"), comment, &answer(capabilities))
    };
    let other = json!({"a.example/x": {}});
    vec![
        changed(
            strip(
                "modern",
                "an extensions that becomes empty goes",
                &json!({"extensions": {EXTENSION: {}}, "tools": {}}),
            ),
            &answer(&json!({"tools": {}})),
        ),
        changed(
            strip("legacy", "an experimental that becomes empty goes", &json!({"experimental": {EXTENSION: {}}})),
            &answer(&json!({})),
        ),
        changed(
            strip("beside", "another extension stays", &json!({"extensions": {EXTENSION: 7, "a.example/x": {}}})),
            &answer(&json!({"extensions": other})),
        ),
        changed(
            strip(
                "both",
                "in both places",
                &json!({"experimental": {EXTENSION: {}}, "extensions": {EXTENSION: {}, "a.example/x": {}}}),
            ),
            &answer(&json!({"extensions": other})),
        ),
        unchanged(strip("none", "no offer", &json!({"experimental": {}, "extensions": other}))),
        unchanged(strip("extensions_text", "extensions that are no object", &json!({"extensions": EXTENSION}))),
    ]
}

/// The family.
pub fn vectors() -> Vec<Vector> {
    [declared(), eras(), offers(), readings(), withheld()].concat()
}
