//! The families `extension` and `task`: what is read from and put into messages that are no calls.

use attest_core::b64;
use attest_core::digest::Salt;
use attest_core::extension::{self, Era, Offer};
use attest_core::json::{self, Value};
use attest_core::task::{self, Asked};
use attest_tests::vectors::file::Vector;

use super::each;

/// What a message becomes: its canonical bytes, which must be the vector's, or nothing.
fn becomes(vector: &Vector, changed: Option<Value<'_>>) -> String {
    let forward = changed.map(|value| b64::encode(value.to_canonical()));
    assert_eq!(forward.as_deref(), vector.get("forward"), "{}", vector.name);
    if forward.is_some() { "changed" } else { "unchanged" }.to_owned()
}

fn era(vector: &Vector) -> Era {
    match vector.get("era").unwrap() {
        "legacy" => Era::Legacy,
        "modern" => Era::Modern,
        other => panic!("{}: no era {other}", vector.name),
    }
}

#[test]
fn each_client_declares_as_its_vector_says() {
    each("declare", |vector| {
        let message = json::parse(&vector.body).unwrap();
        becomes(
            vector,
            match vector.get("where").unwrap() {
                "initialize" => extension::declare_once(&message),
                "request" => extension::declare_in_request(&message),
                other => panic!("{}: no place {other}", vector.name),
            },
        )
    });
    each("era", |vector| {
        let message = json::parse(&vector.body).unwrap();
        let era = match (extension::is_modern(&message), extension::is_declared(&message)) {
            (true, true) => "declared",
            (true, false) => "modern",
            (false, _) => "legacy",
        };
        era.to_owned()
    });
}

#[test]
fn each_server_offers_as_its_vector_says() {
    each("offer", |vector| {
        let settings = b64::decode(vector.get("settings").unwrap()).unwrap();
        let settings: serde_json::Value = serde_json::from_slice(&settings).unwrap();
        let methods = settings["methods"].as_array().unwrap().iter().map(|m| m.as_str().unwrap().to_owned()).collect();
        let offer = Offer { cache: settings["cache"].as_bool().unwrap(), methods };
        let message = json::parse(&vector.body).unwrap();
        let changed = extension::with_offer(&message, era(vector), &offer);
        if let Some(changed) = &changed {
            assert_eq!(extension::offered(changed, era(vector)), Some(offer), "{}", vector.name);
        }
        becomes(vector, changed)
    });
    each("offered", |vector| {
        let offer = extension::offered(&json::parse(&vector.body).unwrap(), era(vector));
        let written = offer.as_ref().map(|o| serde_json::json!({"cache": o.cache, "methods": o.methods}));
        let written = written.map(|o| b64::encode(attest_core::canon::jcs(&o)));
        assert_eq!(written.as_deref(), vector.get("offered"), "{}", vector.name);
        if offer.is_some() { "yes" } else { "no" }.to_owned()
    });
    each("withhold", |vector| becomes(vector, extension::without_offer(&json::parse(&vector.body).unwrap())));
}

#[test]
fn each_task_is_found_as_its_vector_says() {
    let found = |vector: &Vector, id: Option<&str>, word: &str| {
        assert_eq!(id, vector.get("task"), "{}", vector.name);
        if id.is_some() { word } else { "no" }.to_owned()
    };
    each("task-created", |vector| found(vector, task::created(&json::parse(&vector.body).unwrap()), "yes"));
    each("task-told", |vector| found(vector, task::told(&json::parse(&vector.body).unwrap()), "yes"));
    each("task-asked", |vector| {
        let message = json::parse(&vector.body).unwrap();
        let asked = task::asked(&message);
        let word = asked.map_or("no", |(asked, _)| if asked == Asked::State { "state" } else { "result" });
        found(vector, asked.map(|(_, id)| id), word)
    });
}

#[test]
fn each_task_ends_as_its_vector_says() {
    each("task-outcome", |vector| {
        let salt = Salt(b64::decode_exact(vector.get("salt").unwrap()).unwrap());
        let message = json::parse(&vector.body).ok();
        let outcome = match vector.get("asked").unwrap() {
            "state" => task::outcome(Asked::State, message.as_ref(), &salt),
            "result" => task::outcome(Asked::Result, message.as_ref(), &salt),
            "told" => task::outcome_told(&message.unwrap(), &salt),
            other => panic!("{}: no question {other}", vector.name),
        };
        let digest = outcome.and_then(|o| o.digest).map(|d| d.to_b64());
        assert_eq!(digest.as_deref(), vector.get("digest"), "{}", vector.name);
        outcome.map_or("open", |o| o.status.as_str()).to_owned()
    });
}
