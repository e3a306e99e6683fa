//! The vectors about labels, and about what a server is told.

use attest_core::b64;
use attest_core::cause::Told;
use attest_core::json::{self, Value};
use attest_core::labelling::{Labelling, Pointer};
use attest_core::labels::Labels;

use attest_tests::vectors::directory;

use super::{each, of_kind};

/// With a blank between two.
pub(super) fn listed(labels: &Labels) -> String {
    labels.iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn each_set_of_labels_is_read_or_refused_as_its_vector_says() {
    each("labels", |vector| {
        let value = json::parse(&vector.body).unwrap();
        let Some(labels) = Labels::read(&value) else { return "refuse".to_owned() };
        assert_eq!(attest_core::canon::jcs(&labels), vector.body, "{}: written otherwise", vector.name);
        "accept".to_owned()
    });
}

#[test]
fn each_answer_is_labelled_as_its_vector_says() {
    each("labelling", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let body = body.as_object().unwrap();
        let labels = |value: &Value<'_>| Labels::read(value).unwrap();
        let fields = body.get("fields").unwrap().as_object().unwrap().iter();
        let fields = fields.map(|(place, value)| Some((Pointer::parse(place)?, labels(value))));
        let Some(fields) = fields.collect() else { return "unreadable".to_owned() };
        let labelling = Labelling { always: labels(body.get("always").unwrap()), fields };
        let answer = json::parse(body.get("answer").unwrap().as_str().unwrap().as_bytes()).ok();
        let found = listed(&labelling.of(answer.as_ref()));
        if found.is_empty() { "(none)".to_owned() } else { found }
    });
}

#[test]
fn each_server_is_told_as_its_vector_says() {
    each("tell", |vector| {
        let body = json::parse(&vector.body).unwrap();
        let body = body.as_object().unwrap();
        let text = |name| body.get(name).and_then(Value::as_str).unwrap();
        let grant = body.get("grant").and_then(Value::as_array).unwrap_or_default();
        let told = Told { cause: text("decision"), grant: grant.iter().map(|token| token.as_str().unwrap()).collect() };
        let put = told.put(text("request").as_bytes()).unwrap();
        let put = json::parse(&put).unwrap();
        let member = |value: &Value<'_>| {
            value
                .as_object()?
                .get("params")?
                .as_object()?
                .get("_meta")?
                .as_object()?
                .get("io.github.agent-attest/cause")
                .cloned()
                .map(Value::into_owned)
        };
        let member = member(&put).unwrap();
        assert_eq!(Told::read(&member), Some(told), "{}", vector.name);
        assert_eq!(vector.get("forward"), Some(&*b64::encode(put.to_canonical())), "{}", vector.name);
        "changed".to_owned()
    });
    each("told", |vector| {
        let value = json::parse(&vector.body).unwrap();
        if Told::read(&value).is_some() { "yes" } else { "no" }.to_owned()
    });
}

/// What a page opens with is what its vector says, so that nobody reads an example that no verifier has seen.
#[test]
fn the_pages_about_flow_open_with_their_vectors() {
    let payload = |token: &str| String::from_utf8(b64::decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap();
    let requests = of_kind("request");
    for (page, name) in [
        ("labels", "labels_receipt"),
        ("flow", "flow_released"),
        ("pins", "pins_below"),
        ("cause", "cause_good"),
        ("declassification", "declassification_good"),
    ] {
        let text = std::fs::read_to_string(directory().join("..").join(format!("{page}.md"))).unwrap();
        let vector = requests.iter().find(|vector| vector.name == name).unwrap();
        let message: serde_json::Value = serde_json::from_slice(&vector.body).unwrap();
        let carrier = &message["params"]["_meta"]["io.github.agent-attest/proof"];
        let of = |place: &str| payload(carrier.pointer(place).unwrap().as_str().unwrap());
        let member = |name: &str| {
            let root: serde_json::Value = serde_json::from_str(&of("/del/0")).unwrap();
            let name = format!("io.github.agent-attest/{name}");
            let value = root["authorization_details"][0][&name].clone();
            format!("\"{name}\":{}", String::from_utf8(attest_core::canon::jcs(&value)).unwrap())
        };
        let example = match page {
            "labels" => of("/rcp/0"),
            "flow" => member("flow"),
            "pins" => member("state"),
            "cause" => format!("{}\n\nheader", carrier["cause"].as_str().unwrap()),
            _ => format!("{}\n\nheader", carrier["dcl"][0]["token"].as_str().unwrap()),
        };
        assert!(text.contains(&example), "{page}.md does not have\n{example}");
        if page == "cause" {
            assert!(text.contains(&of("/cause")));
        }
        if page == "declassification" {
            assert!(text.contains(&of("/dcl/0/token")));
        }
    }
}
