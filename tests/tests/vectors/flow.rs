//! The vectors about labels, and about what a server is told.

use attest_core::b64;
use attest_core::cause::Told;
use attest_core::json::{self, Value};
use attest_core::labelling::{Labelling, Pointer};
use attest_core::labels::Labels;

use super::each;

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
