use std::cell::Cell;

use attest_core::json::parse;

use super::*;

#[derive(Default)]
struct Now(Cell<u64>);

impl Moment for Now {
    fn salt(&self) -> Salt {
        Salt([7; 16])
    }

    fn name(&self) -> Digest {
        self.0.set(self.0.get() + 1);
        Digest::of(self.0.get().to_be_bytes())
    }

    fn since(&self) -> Duration {
        Duration::from_millis(10 * self.0.get())
    }
}

struct Both {
    observer: Observer,
    now: Now,
}

impl Both {
    fn new() -> Self {
        Self { observer: Observer::default(), now: Now::default() }
    }

    fn host(&mut self, text: &str) -> Vec<What> {
        let message = parse(text.as_bytes()).unwrap();
        self.observer.client(0, &message, None, &self.now).into_iter().map(|draft| draft.what).collect()
    }

    fn server(&mut self, text: &str) -> Vec<What> {
        let message = parse(text.as_bytes()).ok();
        let drafts = self.observer.server(0, text.as_bytes(), message.as_ref(), &self.now);
        drafts.into_iter().map(|draft| draft.what).collect()
    }
}

#[test]
fn a_batch_does_not_pass_unseen_in_either_direction() {
    let mut both = Both::new();
    let batch = r#"[{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x"}}]"#;
    let sent = both.host(batch);
    assert!(matches!(sent[..], [What::Opaque { from: seen::From::Client, .. }]), "{sent:?}");
    let came = both.server(batch);
    assert!(matches!(came[..], [What::Opaque { from: seen::From::Server, .. }]), "{came:?}");
}

#[test]
fn a_call_and_its_answer_bear_one_name() {
    let mut both = Both::new();
    let asked =
        both.host(r#"{"id":1,"method":"tools/call","params":{"name":"mail","arguments":{"to":"a@b.example"}}}"#);
    let [What::Call(call)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(call.destinations.names(), ["b.example"]);
    assert!(both.server(r#"{"id":2,"result":{}}"#).is_empty(), "nobody asked");
    let answered = both.server(r#"{"id":1,"result":{"content":[],"isError":true}}"#);
    let [What::Answer(answer)] = &answered[..] else { panic!("{answered:?}") };
    assert_eq!((answer.call, answer.status), (call.call, attest_core::entry::Status::ToolError));
    assert!(both.server(r#"{"id":1,"result":{}}"#).is_empty(), "it was answered");
}

#[test]
fn an_answer_without_canonical_form_is_an_answer_all_the_same() {
    let mut both = Both::new();
    both.host(r#"{"id":1,"method":"resources/read","params":{"uri":"file:///x"}}"#);
    let answered = both.server(r#"{"id":1,"result":{"n":9007199254740993}}"#);
    assert!(matches!(answered[..], [What::Opaque { .. }, What::Answer(_)]), "{answered:?}");
}

#[test]
fn a_tool_is_told_when_it_is_new_another_or_gone_over_all_pages() {
    let mut both = Both::new();
    let mut list = |first: bool, tools: &str, more: &str| {
        let cursor = if first { "" } else { r#","params":{"cursor":"c"}"# };
        both.host(&format!(r#"{{"id":1,"method":"tools/list"{cursor}}}"#));
        both.server(&format!(r#"{{"id":1,"result":{{"tools":[{tools}]{more}}}}}"#))
    };
    let tool = |name: &str, says: &str| format!(r#"{{"description":"{says}","inputSchema":{{}},"name":"{name}"}}"#);
    assert_eq!(list(true, &tool("a", "x"), r#","nextCursor":"c""#).len(), 1);
    assert_eq!(list(false, &tool("b", "x"), "").len(), 1);
    assert_eq!(list(true, &tool("a", "x"), r#","nextCursor":"c""#).len(), 0, "it is what it was");
    assert_eq!(list(false, &tool("b", "y"), "").len(), 1, "it says something else");
    let gone = list(true, &tool("b", "y"), "");
    assert!(matches!(&gone[..], [What::ToolGone { tool }] if tool == "a"), "{gone:?}");
}

#[test]
fn what_a_server_asks_is_told_in_both_eras() {
    let mut both = Both::new();
    let asked = both.server(r#"{"id":"s","method":"sampling/createMessage","params":{"messages":[]}}"#);
    assert!(
        matches!(&asked[..], [What::Asked(asked)] if asked.method == "sampling/createMessage" && asked.call.is_none())
    );
    assert!(both.server(r#"{"id":"p","method":"ping"}"#).is_empty());
    both.host(r#"{"id":1,"method":"tools/call","params":{"name":"x"}}"#);
    let inside =
        r#"{"id":1,"result":{"inputRequests":{"q":{"method":"elicitation/create","params":{"message":"?"}}}}}"#;
    let answered = both.server(inside);
    let [What::Answer(answer), What::Asked(asked)] = &answered[..] else { panic!("{answered:?}") };
    assert_eq!((asked.call, &*asked.method), (Some(answer.call), "elicitation/create"));
}

#[test]
fn of_too_many_open_requests_the_oldest_are_forgotten_and_the_memory_ends() {
    let mut both = Both::new();
    for id in 0..MOST_OPEN + 10 {
        both.host(&format!(r#"{{"id":{id},"method":"resources/read","params":{{"uri":"x"}}}}"#));
    }
    assert_eq!(both.observer.open.len(), MOST_OPEN);
    assert!(both.server(r#"{"id":3,"result":{}}"#).is_empty());
    let last = MOST_OPEN + 9;
    assert_eq!(both.server(&format!(r#"{{"id":{last},"result":{{}}}}"#)).len(), 1);
    for id in 0..3 * MOST_OPEN {
        both.host(&format!(r#"{{"id":"s{id}","method":"resources/read","params":{{"uri":"x"}}}}"#));
        both.server(&format!(r#"{{"id":"s{id}","result":{{}}}}"#));
    }
    assert!(both.observer.order.len() <= 2 * MOST_OPEN + 1);
}

#[test]
fn what_a_client_may_take_for_an_answer_or_a_request_is_in_the_trail() {
    for answer in
        [r#"{"id":1,"result":{},"error":null}"#, r#"{"id":1,"result":{},"method":null}"#, r#"{"id":1,"Result":{}}"#]
    {
        let mut both = Both::new();
        both.host(r#"{"id":1,"method":"tools/call","params":{"name":"x"}}"#);
        assert!(matches!(both.server(answer)[..], [What::Answer(_)]), "{answer}");
    }
    for request in [r#"{"id":null,"method":"sampling/createMessage"}"#, r#"{"id":1,"method":"roots/list","result":{}}"#]
    {
        assert!(matches!(Both::new().server(request)[..], [What::Asked(_)]), "{request}");
    }
}
