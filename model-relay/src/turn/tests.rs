use attest_core::digest::Digest;

use super::*;

fn turn(api: Api, body: &str) -> Turn {
    Turn::read(api, body.as_bytes()).unwrap()
}

fn prompt(api: Api, body: &str) -> Option<String> {
    turn(api, body).system_prompt
}

fn settings(api: Api, body: &str) -> String {
    String::from_utf8(turn(api, body).settings.unwrap()).unwrap()
}

/// The example of `spec/turn.md`.
const EXAMPLE: &str = r#"{"max_tokens":1024,"messages":[{"content":"Read the report.","role":"user"}],"model":"m-1","system":[{"text":"You are a careful assistant.","type":"text"}],"tools":[{"description":"Reads a file.","input_schema":{"type":"object"},"name":"read"}]}"#;

#[test]
fn the_example_of_the_page_is_read_as_the_page_says() {
    let read = turn(Api::Messages, EXAMPLE);
    let page = include_str!("../../../spec/turn.md");
    assert!(page.contains(EXAMPLE), "{EXAMPLE}");
    assert!(page.contains(&settings(Api::Messages, EXAMPLE)), "{}", settings(Api::Messages, EXAMPLE));
    let digest = Digest::of(read.settings.unwrap()).to_b64();
    assert!(page.contains(&digest), "{digest}");
    assert_eq!(read.system_prompt.as_deref(), Some("You are a careful assistant."));
    assert_eq!(read.model.as_deref(), Some("m-1"));
    assert!(read.has_tools);
}

#[test]
fn the_members_that_are_left_out_are_those_of_the_page() {
    let page = include_str!("../../../spec/turn.md");
    for api in Api::ALL {
        let names: Vec<String> = api.left_out().iter().map(|name| format!("`{name}`")).collect();
        assert!(page.contains(&names.join(", ")), "{api:?}: {}", names.join(", "));
        assert!(api.left_out().is_sorted(), "{api:?}");
    }
}

#[test]
fn a_prompt_of_several_texts_is_joined_by_a_line_feed() {
    for (api, body) in [
        (Api::Messages, r#"{"system":[{"type":"text","text":"a"},{"type":"text","text":" b\n"}]}"#),
        (Api::Messages, r#"{"system":"a","messages":[{"role":"system","content":" b\n"}]}"#),
        (
            Api::Chat,
            r#"{"messages":[{"role":"system","content":"a"},{"role":"user","content":"x"},{"role":"developer","content":[{"type":"text","text":" b\n"}]}]}"#,
        ),
        (
            Api::Responses,
            r#"{"input":[{"role":"user","content":"x"},{"type":"message","role":"developer","content":[{"type":"input_text","text":" b\n"}]}],"instructions":"a"}"#,
        ),
    ] {
        assert_eq!(prompt(api, body).as_deref(), Some("a\n b\n"), "{body}");
    }
}

#[test]
fn where_no_prompt_is_shown_or_not_all_of_it_there_is_none() {
    for (api, body) in [
        (Api::Messages, r#"{}"#),
        (Api::Messages, r#"{"system":null}"#),
        (Api::Messages, r#"{"system":[]}"#),
        (Api::Messages, r#"{"system":[{"type":"text","text":"a"},{"type":"image","source":{}}]}"#),
        (Api::Messages, r#"{"system":{"text":"a"}}"#),
        (Api::Messages, r#"{"system":"a","thread":{"type":"continue","previous_message_id":"x"}}"#),
        (Api::Chat, r#"{"messages":[{"role":"user","content":"You are"}]}"#),
        (Api::Chat, r#"{"messages":[{"role":"system","content":[{"type":"image_url","image_url":{}}]}]}"#),
        (Api::Chat, r#"{"messages":[{"role":"system","content":["a"]}]}"#),
        (Api::Responses, r#"{"input":"a"}"#),
        (Api::Responses, r#"{"instructions":"a","prompt":{"id":"pmpt_1"}}"#),
        (Api::Responses, r#"{"instructions":"a","previous_response_id":"resp_1"}"#),
        (Api::Responses, r#"{"instructions":"a","conversation":{"id":"conv_1"}}"#),
        (Api::Responses, r#"{"instructions":"a","input":[{"type":"item_reference","id":"msg_1"}]}"#),
        (Api::Responses, r#"{"instructions":"a","input":[{"id":"msg_1"}]}"#),
        (Api::Responses, r#"{"instructions":"a","input":["x"]}"#),
        (Api::Responses, r#"{"instructions":"a","input":[{"type":"compaction","encrypted_content":"x"}]}"#),
    ] {
        assert_eq!(prompt(api, body), None, "{body}");
    }
    // What is not there is not elsewhere.
    let body = r#"{"instructions":"a","prompt":null,"previous_response_id":null,"input":[{"type":"function_call_output","output":"x"}]}"#;
    assert_eq!(prompt(Api::Responses, body).as_deref(), Some("a"));
    assert_eq!(prompt(Api::Messages, r#"{"system":"","thread":{"type":"create"}}"#).as_deref(), Some(""));
}

#[test]
fn what_is_kept_elsewhere_may_hold_tools_and_settings_too() {
    for body in [r#"{"prompt":{"id":"pmpt_1"}}"#, r#"{"previous_response_id":"resp_1"}"#] {
        let read = turn(Api::Responses, body);
        assert!(read.has_tools && read.settings.is_none(), "{body}");
    }
}

#[test]
fn only_with_tools_can_calls_come_out_of_it() {
    for (api, body, has) in [
        (Api::Chat, r#"{}"#, false),
        (Api::Chat, r#"{"tools":[]}"#, false),
        (Api::Chat, r#"{"tools":null}"#, false),
        (Api::Chat, r#"{"tools":[{}]}"#, true),
        (Api::Chat, r#"{"functions":[{"name":"read"}]}"#, true),
        (Api::Responses, r#"{"input":[{"type":"additional_tools","role":"developer","tools":[{"name":"x"}]}]}"#, true),
        (
            Api::Messages,
            r#"{"messages":[{"role":"system","content":[{"type":"tool_addition","tool":{"name":"x"}}]}]}"#,
            true,
        ),
    ] {
        assert_eq!(turn(api, body).has_tools, has, "{body}");
    }
}

#[test]
fn settings_are_what_is_not_conversation_and_new_ones_count() {
    let body = r#"{"temperature":0.50,"messages":[{"role":"user","content":"x"}],"model":"m","stream":true,"user":"u","brand_new":{"b":1,"a":[2]}}"#;
    assert_eq!(settings(Api::Chat, body), r#"{"brand_new":{"a":[2],"b":1},"temperature":0.5}"#);
    assert_eq!(settings(Api::Messages, r#"{"system":"a","metadata":{},"max_tokens":5}"#), r#"{"max_tokens":5}"#);
    assert_eq!(settings(Api::Responses, r#"{"input":"x","instructions":"y","store":false}"#), "{}");
    // What one API leaves out counts at another.
    assert_eq!(settings(Api::Chat, r#"{"system":"a"}"#), r#"{"system":"a"}"#);
}

#[test]
fn tools_count_by_name_and_digest_in_any_order() {
    let [read, write] = [
        r#"{"type":"function","function":{"name":"read","parameters":{}}}"#,
        r#"{"type":"custom","custom":{"name":"a"}}"#,
    ];
    let digest = |tool: &str| Digest::of(json::parse(tool.as_bytes()).unwrap().to_canonical()).to_b64();
    let wanted = format!(
        r#"{{"tools":[{{"digest":"{}","name":"a"}},{{"digest":"{}","name":"read"}}]}}"#,
        digest(write),
        digest(read)
    );
    assert_eq!(settings(Api::Chat, &format!(r#"{{"tools":[{read},{write}]}}"#)), wanted);
    assert_eq!(settings(Api::Chat, &format!(r#"{{"tools":[{write}, {read}, {read}]}}"#)), wanted);
    let other = read.replace("{}", r#"{"type":"object"}"#);
    assert_ne!(settings(Api::Chat, &format!(r#"{{"tools":[{other},{write}]}}"#)), wanted);
    assert!(settings(Api::Responses, r#"{"tools":[{"type":"web_search"}]}"#).contains(r#""name":"web_search""#));
}

#[test]
fn tools_given_in_the_middle_count_like_those_at_the_top() {
    let tool = r#"{"name":"x","type":"function"}"#;
    let top = settings(Api::Responses, &format!(r#"{{"tools":[{tool}],"truncation":"auto","text":{{}}}}"#));
    for kind in [r#""type":"additional_tools","role":"developer""#, r#""type":"tool_search_output""#] {
        let input = format!(r#""input":[{{{kind},"tools":[{tool}]}}]"#);
        let middle = settings(Api::Responses, &format!(r#"{{{input},"truncation":"auto","text":{{}}}}"#));
        assert_eq!(middle, top);
        let both = format!(r#"{{{input},"tools":[{tool}],"truncation":"auto","text":{{}}}}"#);
        assert_eq!(settings(Api::Responses, &both), top);
    }
    json::parse(top.as_bytes()).unwrap();
    let added =
        r#"{"messages":[{"role":"system","content":[{"type":"tool_addition","tool":{}},{"type":"text","text":"p"}]}]}"#;
    assert!(settings(Api::Messages, added).contains(r#""name":"tool_addition""#));
    assert_eq!(prompt(Api::Messages, added).as_deref(), Some("p"));
}

#[test]
fn what_is_read_in_two_ways_is_not_read() {
    let read = |body: &str| Turn::read(Api::Chat, body.as_bytes()).unwrap_err();
    for body in
        ["", "{", r#"{"model":"a","model":"b"}"#, r#"{"model":"a","\u006dodel":"b"}"#, r#"{"seed":9007199254740993}"#]
    {
        assert!(matches!(read(body), ReadError::Json(_)), "{body}");
    }
    assert_eq!(read("[]"), ReadError::NoObject);
    assert_eq!(read(r#"{"tools":{"name":"x"}}"#), ReadError::NoList("tools"));
    assert_eq!(turn(Api::Chat, r#"{"model":7}"#).model, None);
}
