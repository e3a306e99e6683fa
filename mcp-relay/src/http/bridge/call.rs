//! What a message of the host needs on its way.

use attest_core::json::{Object, Value};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::mirror::Tools;
use super::open::Scope;
use crate::http::encode::{self, METHOD, NAME, VERSION};

/// Where a message of 2026-07-28 or later says its version.
const META_VERSION: &str = "io.modelcontextprotocol/protocolVersion";

/// Which headers a message goes with.
#[derive(Clone, Debug)]
pub(super) enum Route {
    /// These: the message stands for itself.
    Alone(HeaderMap),
    /// Those of the session there is when it goes out.
    Session,
    /// None: the message begins a session.
    Initialize,
}

/// What is to be learnt from an answer before it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lesson {
    /// Nothing.
    None,
    /// The session.
    Session,
    /// The annotations of tools.
    Tools {
        /// Whether the list starts with this page.
        first_page: bool,
    },
}

/// How a message travels.
#[derive(Clone, Debug)]
pub(super) struct Travel {
    pub route: Route,
    pub lesson: Lesson,
}

impl Travel {
    /// Of a request or notification `method`.
    pub fn of(method: &str, message: &Object<'_>, tools: &Tools) -> Self {
        if method == "initialize" {
            return Self { route: Route::Initialize, lesson: Lesson::Session };
        }
        let params = message.get("params").and_then(Value::as_object);
        let Some(version) = params.and_then(version) else {
            return Self { route: Route::Session, lesson: Lesson::None };
        };
        let mut headers = HeaderMap::new();
        let mut insert = |name: HeaderName, value: Option<HeaderValue>| value.map(|value| headers.insert(name, value));
        insert(VERSION, encode::plain_value(version));
        insert(METHOD, encode::plain_value(method));
        let member = |name| params.and_then(|params| params.get(name));
        insert(NAME, named_in(method).and_then(member).and_then(Value::as_str).and_then(encode::value));
        if method == "tools/call"
            && let Some(tool) = member("name").and_then(Value::as_str)
        {
            tools.mirror(tool, member("arguments"), &mut headers);
        }
        let lesson = match method {
            "tools/list" => Lesson::Tools { first_page: matches!(member("cursor"), None | Some(Value::Null)) },
            _ => Lesson::None,
        };
        Self { route: Route::Alone(headers), lesson }
    }

    /// What a request of this kind belongs to.
    pub fn scope(&self, method: &str) -> Scope {
        match self.route {
            Route::Alone(_) if method == "subscriptions/listen" => Scope::Subscription,
            Route::Alone(_) => Scope::Itself,
            Route::Session => Scope::Session,
            Route::Initialize => Scope::Initialize,
        }
    }
}

fn version<'v>(params: &'v Object<'_>) -> Option<&'v str> {
    params.get("_meta")?.as_object()?.get(META_VERSION)?.as_str()
}

/// The member of `params` that `Mcp-Name` repeats ("Standard Request Headers"; for tasks, SEP-2663).
fn named_in(method: &str) -> Option<&'static str> {
    match method {
        "tools/call" | "prompts/get" => Some("name"),
        "resources/read" => Some("uri"),
        "tasks/get" | "tasks/update" | "tasks/cancel" => Some("taskId"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use attest_core::json::parse;

    use super::*;

    fn headers(method: &str, params: &str) -> Option<Vec<String>> {
        let message = format!(
            r#"{{"id":1,"params":{{"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}},{params}}}}}"#
        );
        let value = parse(message.as_bytes()).unwrap();
        match Travel::of(method, value.as_object().unwrap(), &Tools::default()).route {
            Route::Alone(headers) => {
                let mut lines: Vec<_> = headers.iter().map(|(k, v)| format!("{k}: {}", v.to_str().unwrap())).collect();
                lines.sort();
                Some(lines)
            }
            _ => None,
        }
    }

    #[test]
    fn a_message_that_says_its_version_gets_its_own_headers() {
        for (method, params, name) in [
            ("tools/call", r#""name":"weather","uri":"no""#, Some("weather")),
            ("prompts/get", r#""name":"größer""#, Some("=?base64?Z3LDtsOfZXI=?=")),
            ("resources/read", r#""uri":"file:///a b","name":"no""#, Some("file:///a b")),
            ("tasks/cancel", r#""taskId":"t-1""#, Some("t-1")),
            ("tools/list", r#""name":"no""#, None),
            ("tools/call", r#""name":7"#, None),
        ] {
            let mut wanted = vec![format!("mcp-method: {method}")];
            wanted.extend(name.map(|name| format!("mcp-name: {name}")));
            wanted.push("mcp-protocol-version: 2026-07-28".to_owned());
            assert_eq!(headers(method, params).unwrap(), wanted);
        }
    }

    #[test]
    fn initialize_begins_a_session_whatever_it_says_and_a_message_without_version_belongs_to_one() {
        assert_eq!(headers("initialize", r#""x":1"#), None);
        let value = parse(br#"{"id":1,"params":{"_meta":{}}}"#).unwrap();
        let travel = Travel::of("tools/call", value.as_object().unwrap(), &Tools::default());
        assert!(matches!(travel.route, Route::Session));
    }
}
