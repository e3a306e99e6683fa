//! Which labels an answer gets at the server that gives it: `spec/labels.md`, *Answers*.

use crate::json::Value;
use crate::labels::{Labels, PRIVATE, UNTRUSTED};

/// What one tool's answers are labelled with, besides the labels of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labelling {
    /// On every answer.
    pub always: Labels,
    /// On an answer whose result has something at this place: steps as of a JSON pointer (RFC 6901), `*` for any element or member.
    pub fields: Vec<(Pointer, Labels)>,
}

/// A place in a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads `/structuredContent/rows/*/salary`.
    pub fn parse(text: &str) -> Option<Self> {
        let step = |step: &str| {
            let escapes =
                step.match_indices('~').all(|(at, _)| matches!(step.as_bytes().get(at + 1), Some(b'0' | b'1')));
            escapes.then(|| step.replace("~1", "/").replace("~0", "~"))
        };
        text.strip_prefix('/')?.split('/').map(step).collect::<Option<_>>().map(Self)
    }

    /// Whether there is something other than null.
    fn is_in(&self, value: &Value<'_>) -> bool {
        fn at(steps: &[String], value: &Value<'_>) -> bool {
            let Some((step, rest)) = steps.split_first() else { return *value != Value::Null };
            match value {
                Value::Object(object) if step == "*" => object.iter().any(|(_, value)| at(rest, value)),
                Value::Object(object) => object.get(step).is_some_and(|value| at(rest, value)),
                Value::Array(items) if step == "*" => items.iter().any(|value| at(rest, value)),
                Value::Array(items) => {
                    // RFC 6901, section 4: an index has one spelling.
                    let index = step.parse::<usize>().ok().filter(|index| index.to_string() == *step);
                    index.and_then(|index| items.get(index)).is_some_and(|value| at(rest, value))
                }
                _ => false,
            }
        }
        at(&self.0, value)
    }
}

impl Labelling {
    /// The labels of an answer, `None` in place of one that has no canonical form: nobody can say what is in that.
    pub fn of(&self, answer: Option<&Value<'_>>) -> Labels {
        let Some(answer) = answer else { return Labels::Every };
        let Some(result) = answer.as_object().and_then(|answer| answer.get("result")) else {
            return self.always.clone();
        };
        let fields = self.fields.iter().filter(|(place, _)| place.is_in(result));
        let labels = fields.fold(self.always.clone(), |all, (_, labels)| all.and(labels));
        labels.and(&said(result))
    }
}

/// What a server says of its own result in `_meta.ifc`, as GitHub's does: it can only add.
pub fn said(result: &Value<'_>) -> Labels {
    let meta = result.as_object().and_then(|result| result.get("_meta")).and_then(Value::as_object);
    let Some(ifc) = meta.and_then(|meta| meta.get("ifc")) else { return Labels::None };
    // A list says it of several things: the worst counts.
    let all = |name: &str, good: &str| match ifc.as_object().and_then(|ifc| ifc.get(name)) {
        Some(Value::String(said)) => said == good,
        Some(Value::Array(said)) => !said.is_empty() && said.iter().all(|said| said.as_str() == Some(good)),
        _ => false,
    };
    let unless = |good: bool, label: &str| if good { None } else { Labels::one(label) };
    let found = [unless(all("integrity", "trusted"), UNTRUSTED), unless(all("confidentiality", "public"), PRIVATE)];
    found.iter().flatten().fold(Labels::None, Labels::and)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::json;

    fn labels(answer: &str) -> String {
        let pay = (Pointer::parse("/structuredContent/rows/*/pay").unwrap(), Labels::one("pay").unwrap());
        let labelling = Labelling { always: Labels::one("hr").unwrap(), fields: vec![pay] };
        labelling.of(Some(&json::parse(answer.as_bytes()).unwrap())).iter().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_field_labels_the_answer_that_has_it_and_a_server_can_only_add() {
        assert_eq!(labels(r#"{"result":{"structuredContent":{"rows":[{"pay":null},{"pay":1}]}}}"#), "hr pay");
        assert_eq!(labels(r#"{"result":{"structuredContent":{"rows":[{"pay":null}]}}}"#), "hr");
        assert_eq!(labels(r#"{"error":{"code":1,"message":"no"}}"#), "hr");
        assert_eq!(Labelling::default().of(None), Labels::Every, "what nobody could read");
        for (ifc, expected) in [
            (r#"{"integrity":"trusted","confidentiality":"public"}"#, "hr"),
            (r#"{"integrity":"untrusted","confidentiality":"public"}"#, "hr untrusted"),
            (r#"{"integrity":"trusted","confidentiality":["public","private"]}"#, "hr private"),
            (r#"{"integrity":"trusted","confidentiality":["alice"]}"#, "hr private"),
            (r#"[]"#, "hr private untrusted"),
        ] {
            assert_eq!(labels(&format!(r#"{{"result":{{"_meta":{{"ifc":{ifc}}}}}}}"#)), expected);
        }
    }
}
