//! `[telemetry]`: a span for each call and how long calls take, by way of a collector or straight, and read with the published message types.

use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use attest_tests::client::{eventually, reason, text};
use attest_tests::real::{env, real};
use attest_tests::world::World;
use serde_json::{Value, json};

/// A receiver of OTLP; what it was sent stands in files.
struct Receiver(Child);

impl Receiver {
    fn start(world: &World) -> (Self, String) {
        let mut command = Command::new(env("export/bin/python"));
        command.arg(real("python/otlp_receiver.py")).arg(world.path("spans.jsonl")).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        (Self(child), url.trim().to_owned())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Rotel, a collector, with a receiver behind it. `None` where there is none for this machine.
fn collector(behind: &str) -> Option<(Receiver, String)> {
    let program = rotel();
    if !program.exists() {
        println!("SKIPPED: there is no collector; scripts/setup-test-env has one for Linux and Python 3.11");
        return None;
    }
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (http, grpc) = (free(), free());
    let mut command = Command::new(program);
    command.args(["start", "--exporter", "otlp", "--otlp-exporter-protocol", "http"]);
    command.args(["--otlp-exporter-endpoint", behind, "--batch-timeout", "200ms"]);
    command.args(["--otlp-http-endpoint", &http.to_string(), "--otlp-grpc-endpoint", &grpc.to_string()]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let collector = Receiver(child);
    eventually("the collector", || TcpStream::connect(http).ok());
    Some((collector, format!("http://{http}")))
}

/// Where its package has it.
fn rotel() -> PathBuf {
    env("export/rotel/rotel/rotel-agent")
}

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn telemetry(world: &World, url: &str) {
    world.write("guard.toml", format!("{}\n[telemetry]\notlp = \"{url}\"\n", world.read("guard.toml")));
}

#[test]
fn a_collector_gets_a_span_for_each_call_in_the_trace_of_its_client_and_no_argument() {
    let world = World::granting(&["echo", "fail"]);
    let (_receiver, url) = Receiver::start(&world);
    telemetry(&world, &url);
    let mut client = world.start();
    let call = |client: &mut attest_tests::client::Client, tool: &str, traceparent: Option<String>| {
        let mut params = json!({"name": tool, "arguments": {"text": "secret-argument"}});
        if let Some(traceparent) = traceparent {
            params["_meta"] = json!({"traceparent": traceparent});
        }
        let id = client.ask("tools/call", params);
        client.answer(id)
    };
    call(&mut client, "echo", Some(format!("00-{TRACE}-{PARENT}-01")));
    call(&mut client, "echo", Some(format!("00-{TRACE}-{PARENT}-00")));
    call(&mut client, "fail", None);
    assert_eq!(reason(&call(&mut client, "show", None)), "tool-not-granted");
    client.end();
    let received = || -> Vec<Value> {
        let text = std::fs::read_to_string(world.path("spans.jsonl")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let spans = eventually("three spans", || Some(received()).filter(|spans| spans.len() >= 3));
    assert_eq!(spans.len(), 3, "of a trace that its client does not record there is none: {spans:#?}");
    let of = |tool: &str| spans.iter().find(|span| span["attributes"]["gen_ai.tool.name"] == tool).unwrap();
    let echo = of("echo");
    assert_eq!((&echo["trace"], &echo["parent"]), (&json!(TRACE), &json!(PARENT)));
    assert_eq!(echo["name"], "tools/call echo");
    assert_eq!(echo["kind"], "SPAN_KIND_SERVER");
    assert_eq!(echo["status"], "STATUS_CODE_UNSET");
    let attributes = &echo["attributes"];
    assert_eq!(attributes["mcp.method.name"], "tools/call");
    assert_eq!(attributes["gen_ai.operation.name"], "execute_tool");
    assert_eq!((&attributes["attest.agent"], &attributes["attest.decision"]), (&json!("tester"), &json!("allow")));
    let first = &world.entries("guard.db", &[("type", "decision")])[0];
    assert_eq!(attributes["attest.call"], first["call"], "it names the entry");
    assert!(echo["start"].as_u64().unwrap() < echo["end"].as_u64().unwrap());

    let fail = of("fail");
    assert_eq!((&fail["parent"], &fail["status"]), (&json!(""), &json!("STATUS_CODE_ERROR")));
    assert_ne!(fail["trace"], TRACE);
    assert_eq!(fail["attributes"]["error.type"], "tool_error");
    let show = of("show");
    assert_eq!(
        (&show["status"], &show["attributes"]["attest.decision"]),
        (&json!("STATUS_CODE_ERROR"), &json!("deny"))
    );
    assert_eq!(show["attributes"]["error.type"], "tool-not-granted");
    assert!(!std::fs::read_to_string(world.path("spans.jsonl")).unwrap().contains("secret-argument"));
}

#[test]
fn by_way_of_a_collector_come_spans_and_how_long_calls_took() {
    let world = World::granting(&["echo", "fail"]);
    let (_receiver, behind) = Receiver::start(&world);
    let Some((_collector, url)) = collector(&behind) else { return };
    telemetry(&world, &url);
    let mut client = world.start();
    for _ in 0..3 {
        assert!(!text(&client.call("echo", json!({"text": "secret-argument"}))).is_empty());
    }
    client.call("fail", json!({}));
    // Of a trace that its client does not record there is no span, and its time counts.
    let quiet = json!({"name": "echo", "arguments": {"text": "x"}, "_meta": {"traceparent": format!("00-{TRACE}-{PARENT}-00")}});
    let id = client.ask("tools/call", quiet);
    client.answer(id);
    assert_eq!(reason(&client.call("show", json!({}))), "tool-not-granted");
    client.end();
    let lines = |file: &str| -> Vec<Value> {
        let text = std::fs::read_to_string(world.path(file)).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let spans = eventually("five spans", || Some(lines("spans.jsonl")).filter(|spans| spans.len() >= 5));
    assert_eq!(spans.len(), 5, "{spans:#?}");
    let points = eventually("the durations", || Some(lines("spans.jsonl.metrics")).filter(|points| points.len() >= 3));
    let count = |decision: &str, error: Option<&str>| {
        let of = points.iter().filter(|point| {
            let attributes = &point["attributes"];
            attributes["attest.decision"] == decision && attributes.get("error.type").and_then(Value::as_str) == error
        });
        // Cumulative: the last one has all.
        of.map(|point| point["count"].as_u64().unwrap()).max()
    };
    assert_eq!(count("allow", None), Some(4), "{points:#?}");
    assert_eq!(count("allow", Some("tool_error")), Some(1));
    assert_eq!(count("deny", Some("tool-not-granted")), Some(1));
    let point = &points[0];
    assert_eq!((&point["name"], &point["unit"]), (&json!("mcp.server.operation.duration"), &json!("s")));
    assert_eq!(point["temporality"], 2, "cumulative");
    assert_eq!(point["attributes"]["mcp.method.name"], "tools/call");
    assert_eq!(point["attributes"]["gen_ai.operation.name"], "execute_tool");
    assert!(point["sum"].as_f64().unwrap() > 0.0);
    for file in ["spans.jsonl", "spans.jsonl.metrics"] {
        assert!(!std::fs::read_to_string(world.path(file)).unwrap().contains("secret-argument"));
    }
    assert!(
        !std::fs::read_to_string(world.path("spans.jsonl.metrics")).unwrap().contains("echo"),
        "no series of a tool"
    );
}

#[test]
fn a_collector_that_never_answers_holds_no_call_up() {
    let world = World::granting(&["echo"]);
    // It accepts connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    telemetry(&world, &format!("http://{}", silent.local_addr().unwrap()));
    let mut client = world.start();
    let begun = std::time::Instant::now();
    for _ in 0..20 {
        let answer = client.call("echo", json!({"text": "hello"}));
        assert!(!text(&answer).is_empty(), "{answer}");
    }
    assert!(begun.elapsed().as_secs() < 10, "no call waits for one attempt to send, which takes ten seconds");
    client.end();
    assert_eq!(world.entries("guard.db", &[("type", "outcome"), ("status", "result")]).len(), 20);
}
