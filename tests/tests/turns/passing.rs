//! What passes the relay, and how: bytes as they are, events as they come, and nothing unread.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use attest_tests::client::eventually;
use attest_tests::listening::Listening;
use serde_json::Value;

use crate::place::Place;

/// An answer as it came: its status, and what follows its head.
struct Answer {
    status: u16,
    rest: BufReader<TcpStream>,
    head: String,
}

impl Answer {
    fn body(mut self) -> Value {
        let mut body = String::new();
        self.rest.read_to_string(&mut body).unwrap();
        serde_json::from_str(&body).unwrap_or(Value::String(body))
    }
}

/// Sends a request with these header fields, and reads the head of the answer.
fn ask(relay: &Listening, method: &str, path: &str, fields: &[&str], body: &[u8]) -> Answer {
    let address = relay.url().trim_start_matches("http://");
    let mut to = TcpStream::connect(address).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    fields.iter().for_each(|field| head += &format!("{field}\r\n"));
    to.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    // A relay that has answered already may not read the rest.
    let _ = to.write_all(body);
    let mut rest = BufReader::new(to);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert_ne!(rest.read_line(&mut head).unwrap(), 0, "no answer: {head:?}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, rest, head }
}

const JSON: &str = "Content-Type: application/json";
const CHAT: &str = "/v1/chat/completions";

#[test]
fn bytes_go_on_as_they_came_and_what_belongs_to_a_connection_does_not() {
    let place = Place::new(&["system-prompt"]);
    let relay = place.relay(&["/v1/embeddings"]);
    let odd = "{ \"model\" : \"m\", \"messages\":[], \"tools\": [ {\"name\":\"\\u0065cho\"} ], \"top_p\": 1.0 }\n";
    let fields = [JSON, "Authorization: Bearer k", "X-Own: 1", "Keep-Alive: 5", "Accept-Encoding: br"];
    assert_eq!(ask(&relay, "POST", "/v1/chat/completions?api-version=1", &fields, odd.as_bytes()).status, 200);
    assert_eq!(ask(&relay, "POST", "/v1/embeddings", &["Content-Type: text/x"], b"\x00\xff").status, 200);
    assert_eq!(ask(&relay, "GET", "/v1/models?limit=1", &[], b"").status, 200);
    let requests = place.requests();
    assert_eq!(requests[0]["body"], odd);
    assert_eq!(requests[0]["path"], "/v1/chat/completions?api-version=1");
    let headers = requests[0]["headers"].as_object().unwrap();
    let header =
        |name: &str| headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str().unwrap());
    assert_eq!(header("authorization"), Some("Bearer k"));
    assert_eq!(header("x-own"), Some("1"));
    assert_eq!(header("accept-encoding"), Some("br"));
    assert_eq!(header("keep-alive"), None);
    assert_eq!(header("host"), Some(place.api.url().trim_start_matches("http://")));
    assert_eq!(requests[1]["body"], "\u{0}\\xff");
    assert_eq!(requests[2]["path"], "/v1/models?limit=1");
}

/// Method, path, header fields and body; the status of the answer, and words in it.
type Case<'a> = (&'a str, &'a str, &'a [&'a str], &'a [u8], u16, &'a str);

#[test]
fn what_is_not_read_does_not_pass() {
    let place = Place::new(&["system-prompt"]);
    let relay = place.relay(&[]);
    let fine = br#"{"model":"m","messages":[],"tools":[{"name":"echo"}]}"#;
    let twice = br#"{"model":"m","model":"n","messages":[]}"#;
    let long = vec![b' '; (32 << 20) + 1];
    let cases: [Case<'_>; 13] = [
        ("POST", CHAT, &[JSON], b"{", 400, "not strict JSON"),
        ("POST", CHAT, &[JSON], twice, 400, "the same member twice"),
        ("POST", CHAT, &[JSON], br#"{"tools":{}}"#, 400, "\"tools\" is not a list"),
        ("POST", CHAT, &[JSON, "Content-Encoding: gzip"], fine, 415, "compressed"),
        ("POST", CHAT, &["Content-Type: application/json; charset=utf-7"], fine, 415, "UTF-8"),
        ("POST", CHAT, &[], fine, 415, "application/json"),
        ("POST", CHAT, &[JSON], &long, 413, "32 MiB"),
        ("POST", "/v1/embeddings", &[JSON], fine, 404, "--allow /v1/embeddings"),
        ("POST", "/v1/threads/x/messages", &[JSON], fine, 404, "--allow /v1/threads/x/messages"),
        ("DELETE", CHAT, &[], b"", 404, "DELETE /v1/chat/completions"),
        ("GET", "/v1/responses", &["Upgrade: websocket"], b"", 404, "upgraded"),
        ("GET", "/v1/models", &[JSON], fine, 400, "with a body"),
        ("POST", CHAT, &[JSON, "Origin: https://elsewhere.example"], fine, 403, "another machine"),
    ];
    let mut wrong = Vec::new();
    for (method, path, fields, body, status, words) in cases {
        let answer = ask(&relay, method, path, fields, body);
        let (got, body) = (answer.status, answer.body());
        let message = body["error"]["message"].as_str().unwrap_or_default();
        if got != status || !message.contains(words) {
            wrong.push(format!("{words}: {got} {body}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(place.requests(), Vec::<Value>::new());
    let anthropic = ask(&relay, "POST", "/v1/messages", &[JSON], b"{").body();
    assert_eq!(anthropic["type"], "error", "{anthropic}");
    assert_eq!(ask(&relay, "GET", "/v1/moved", &[], b"").status, 502, "a client would follow, past the relay");
}

#[test]
fn events_reach_the_agent_one_by_one() {
    let place = Place::new(&["system-prompt"]);
    let relay = place.relay(&[]);
    let body = br#"{"model":"slow","messages":[],"stream":true,"tools":[{"name":"echo"}]}"#;
    let mut answer = ask(&relay, "POST", CHAT, &[JSON], body);
    assert!(answer.head.to_ascii_lowercase().contains("content-type: text/event-stream"), "{}", answer.head);
    let mut line = String::new();
    while !line.contains("data: ") {
        answer.rest.read_line(&mut line).unwrap();
    }
    // The API says nothing more before this file is there, so what came was held back by nobody.
    place.world.write("requests.go", "");
    let mut rest = String::new();
    answer.rest.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("tool_calls\"") && rest.contains("data: [DONE]"), "{rest}");
}

#[test]
fn an_agent_that_goes_away_takes_its_request_with_it() {
    let place = Place::new(&["system-prompt"]);
    let relay = place.relay(&[]);
    let body = br#"{"model":"endless","messages":[],"stream":true,"tools":[{"name":"echo"}]}"#;
    let mut answer = ask(&relay, "POST", CHAT, &[JSON], body);
    let mut line = String::new();
    answer.rest.read_line(&mut line).unwrap();
    drop(answer);
    eventually("the API hears that nobody reads", || place.world.path("requests.gone").exists().then_some(()));
}
