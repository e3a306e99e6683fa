use super::super::queue::{Inbox, queue};
use super::*;

/// A caller with id 1 and progress token "t", as every caller here has.
fn caller(exchanges: &mut Exchanges, listens: bool, child: u64) -> (u64, Inbox) {
    let (outbox, inbox) = queue(2, 1_000);
    let id = Id::of(&Value::Number(1.0)).unwrap();
    let token = Some(Value::String("t".into()));
    let exchange = Exchange { id, token, listens, lists_tools: false, lacks_metadata: false, child, outbox };
    (exchanges.open(exchange), inbox)
}

/// All that has come, the inbox's writer being gone or not.
fn read(inbox: &mut Inbox) -> Vec<String> {
    use futures_util::FutureExt as _;
    std::iter::from_fn(|| inbox.take().now_or_never().flatten())
        .map(|message| match message {
            Message::Note(bytes) => String::from_utf8(bytes.into()).unwrap(),
            Message::Answer(status, bytes) => format!("{} {}", status.as_u16(), std::str::from_utf8(&bytes).unwrap()),
        })
        .collect()
}

fn say(exchanges: &mut Exchanges, line: impl AsRef<str>) -> After {
    exchanges.line(1, line.as_ref().as_bytes())
}

#[test]
fn each_of_two_callers_with_equal_names_gets_its_own_messages_under_its_own_names() {
    let mut all = Exchanges::default();
    let (a, mut from_a) = caller(&mut all, false, 1);
    let (b, mut from_b) = caller(&mut all, false, 1);
    for (number, text) in [(b, "b"), (a, "a")] {
        let progress = format!(
            r#"{{"method":"notifications/progress","params":{{"progressToken":{number},"progress":1,"message":"{text}"}}}}"#
        );
        assert_eq!(say(&mut all, progress), After::Done);
    }
    for (number, text) in [(b, "b"), (a, "a")] {
        assert_eq!(say(&mut all, format!(r#"{{"id":{number},"result":{{"of":"{text}"}}}}"#)), After::Answered);
    }
    for (inbox, text) in [(&mut from_a, "a"), (&mut from_b, "b")] {
        assert_eq!(
            read(inbox),
            [
                format!(
                    r#"{{"method":"notifications/progress","params":{{"message":"{text}","progress":1,"progressToken":"t"}}}}"#
                ),
                format!(r#"200 {{"id":1,"result":{{"of":"{text}"}}}}"#),
            ]
        );
    }
}

#[test]
fn a_subscription_is_named_as_its_caller_named_it_and_only_it_is() {
    let mut all = Exchanges::default();
    let (plain, mut from_plain) = caller(&mut all, false, 1);
    let (listen, mut from_listen) = caller(&mut all, true, 1);
    let note = |n: u64| {
        format!(r#"{{"method":"n","params":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{n}}},"x":{n}}}}}"#)
    };
    say(&mut all, note(listen));
    say(&mut all, note(plain));
    say(
        &mut all,
        format!(r#"{{"id":{listen},"result":{{"_meta":{{"io.modelcontextprotocol/subscriptionId":{listen}}}}}}}"#),
    );
    assert_eq!(read(&mut from_plain), [""; 0]);
    assert_eq!(
        read(&mut from_listen),
        [
            note(1).replace(r#""x":1"#, &format!(r#""x":{listen}"#)),
            r#"200 {"id":1,"result":{"_meta":{"io.modelcontextprotocol/subscriptionId":1}}}"#.into()
        ]
    );
}

#[test]
fn a_subscription_that_the_child_cancels_ends_and_another_request_does_not() {
    let mut all = Exchanges::default();
    let (plain, mut from_plain) = caller(&mut all, false, 1);
    let (listen, mut from_listen) = caller(&mut all, true, 1);
    for number in [plain, listen] {
        say(&mut all, format!(r#"{{"method":"notifications/cancelled","params":{{"requestId":{number}}}}}"#));
    }
    assert_eq!(read(&mut from_listen), [r#"{"method":"notifications/cancelled","params":{"requestId":1}}"#]);
    assert!(!all.leave(listen));
    assert_eq!(read(&mut from_plain), [""; 0]);
    assert!(all.leave(plain));
}

#[test]
fn what_names_no_open_request_or_two_is_given_to_nobody() {
    let mut all = Exchanges::default();
    let (a, mut from_a) = caller(&mut all, true, 1);
    let (b, mut from_b) = caller(&mut all, true, 1);
    for line in [
        r#"{"method":"notifications/message","params":{"data":"secret"}}"#.to_owned(),
        r#"{"method":"notifications/tools/list_changed"}"#.to_owned(),
        r#"{"id":99,"result":{}}"#.to_owned(),
        format!(r#"{{"id":"{a}","result":{{}}}}"#),
        format!(r#"{{"id":{a}.5,"result":{{}}}}"#),
        r#"{"method":"notifications/progress","params":{"progressToken":"t"}}"#.to_owned(),
        format!(
            r#"{{"method":"notifications/progress","params":{{"progressToken":{a},"_meta":{{"io.modelcontextprotocol/subscriptionId":{b}}}}}}}"#
        ),
        format!(r#"{{"method":"other","params":{{"progressToken":{a},"requestId":{a}}}}}"#),
        format!(r#"{{"id":{a},"id":{b},"method":"x"}}"#),
    ] {
        assert_eq!(say(&mut all, &line), After::Done, "{line}");
        assert_eq!((read(&mut from_a), read(&mut from_b)), (vec![], vec![]), "{line}");
    }
    assert!(all.leave(a) && all.leave(b));
}

#[test]
fn an_answer_that_only_a_lenient_reader_can_tie_is_not_passed_on_but_ends_its_request() {
    for line in [
        r#"{"id":1,"result":{"secret":9007199254740993}}"#,
        r#"{"id":2,"id":1,"result":{"secret":1}}"#,
        r#"{"id":1,"result":{"secret":1},"error":{}}"#,
        r#"{"id":1,"Result":{"secret":1}}"#,
    ] {
        let mut all = Exchanges::default();
        let (_, mut inbox) = caller(&mut all, false, 1);
        let (_, mut other) = caller(&mut all, false, 1);
        assert_eq!(say(&mut all, line), After::Answered);
        let got = read(&mut inbox);
        assert!(got.len() == 1 && got[0].contains("-32603") && !got[0].contains("secret"), "{got:?}");
        assert_eq!(read(&mut other), [""; 0]);
    }
}

#[test]
fn a_child_answers_only_what_it_was_itself_asked() {
    let mut all = Exchanges::default();
    let (old, mut from_old) = caller(&mut all, false, 1);
    let (new, mut from_new) = caller(&mut all, false, 2);
    assert_eq!(say(&mut all, format!(r#"{{"id":{new},"result":{{}}}}"#)), After::Done);
    all.child_gone(1);
    let got = read(&mut from_old);
    assert!(got.len() == 1 && got[0].contains(r#""id":1"#) && got[0].contains("-32603"), "{got:?}");
    assert_eq!(read(&mut from_new), [""; 0]);
    assert!(!all.leave(old) && all.leave(new));
}

#[test]
fn a_caller_that_does_not_read_is_given_up_and_the_child_told() {
    let mut all = Exchanges::default();
    let (slow, mut from_slow) = caller(&mut all, false, 1);
    let progress = format!(r#"{{"method":"notifications/progress","params":{{"progressToken":{slow},"progress":1}}}}"#);
    let after: Vec<_> = (0..4).map(|_| say(&mut all, &progress)).collect();
    assert_eq!(after, [After::Done, After::Done, After::Cancel(slow), After::Done]);
    assert_eq!(read(&mut from_slow).len(), 2);
}

#[test]
fn a_child_that_asks_is_told_that_it_may_not() {
    let mut all = Exchanges::default();
    let (_, mut inbox) = caller(&mut all, false, 1);
    let After::Reply(reply) = say(&mut all, r#"{"id":1,"method":"sampling/createMessage"}"#) else { panic!("a reply") };
    assert!(reply.starts_with(br#"{"error":{"code":-32601"#) && parse(&reply).is_ok());
    assert_eq!(read(&mut inbox), [""; 0]);
}
