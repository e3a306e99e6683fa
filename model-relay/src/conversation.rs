//! What a request holds besides its settings: the texts of whoever made the agent, tools that come in the middle, and whether
//! some of it is elsewhere.

use attest_core::json::{Object, Value};

use crate::api::Api;

/// What stands between two texts of a system prompt.
const BETWEEN: &str = "\n";

/// A conversation, as far as it says what the agent is.
#[derive(Default)]
pub(crate) struct Conversation<'v, 'a> {
    texts: Vec<&'v str>,
    /// One of them cannot be read: half a prompt is another prompt.
    is_torn: bool,
    /// Part of it is kept by the service, and named here only.
    pub is_elsewhere: bool,
    /// Tools that were given in its middle.
    pub tools: Vec<&'v Value<'a>>,
}

impl<'v, 'a> Conversation<'v, 'a> {
    /// Reads it.
    pub fn of(api: Api, request: &'v Object<'a>) -> Self {
        let mut all = Self::default();
        let list = |name| request.get(name).and_then(Value::as_array).unwrap_or_default();
        let is_there = |name| request.get(name).is_some_and(|value| *value != Value::Null);
        match api {
            Api::Chat => list("messages").iter().for_each(|message| all.message(message)),
            Api::Messages => {
                let thread = request.get("thread").filter(|thread| **thread != Value::Null);
                let begins = |thread: &Value<'_>| text(thread, "type") == Some("create");
                all.is_elsewhere = thread.is_some_and(|thread| !begins(thread));
                all.content(request.get("system"));
                list("messages").iter().for_each(|message| all.message(message));
            }
            Api::Responses => {
                all.is_elsewhere = ["conversation", "previous_response_id", "prompt"].into_iter().any(is_there);
                all.content(request.get("instructions"));
                list("input").iter().for_each(|item| all.item(item));
            }
        }
        all
    }

    /// The system prompt; `None` where there is none, or not all of it is seen.
    pub fn prompt(&self) -> Option<String> {
        let is_whole = !self.is_torn && !self.is_elsewhere && !self.texts.is_empty();
        is_whole.then(|| self.texts.join(BETWEEN))
    }

    /// One message; those of other roles are the conversation itself.
    fn message(&mut self, message: &'v Value<'a>) {
        if let Some("system" | "developer") = text(message, "role") {
            self.content(member(message, "content"));
            self.tools_in(message);
        }
    }

    /// One item of a response's input: a message, or something of its own type.
    fn item(&mut self, item: &'v Value<'a>) {
        match (text(item, "type"), member(item, "role")) {
            // Named, or put together so that the service alone can read it. Without type and role it is a name too.
            (Some("item_reference" | "compaction"), _) | (None, None) => self.is_elsewhere = true,
            (Some("tool_search_output"), _) => self.tools_in(item),
            _ => self.message(item),
        }
    }

    fn tools_in(&mut self, item: &'v Value<'a>) {
        self.tools.extend(member(item, "tools").and_then(Value::as_array).unwrap_or_default());
    }

    /// One text, or a list of blocks, of which only those of text are text.
    fn content(&mut self, content: Option<&'v Value<'a>>) {
        match content {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => self.texts.push(text),
            Some(Value::Array(blocks)) => {
                for block in blocks {
                    match (text(block, "type"), text(block, "text")) {
                        (Some("text" | "input_text"), Some(text)) => self.texts.push(text),
                        (Some("tool_addition" | "tool_removal"), _) => self.tools.push(block),
                        _ => self.is_torn = true,
                    }
                }
            }
            Some(_) => self.is_torn = true,
        }
    }
}

/// A member of an object; `None` also where there is no object.
fn member<'v, 'a>(value: &'v Value<'a>, name: &str) -> Option<&'v Value<'a>> {
    value.as_object()?.get(name)
}

fn text<'v>(value: &'v Value<'_>, name: &str) -> Option<&'v str> {
    member(value, name)?.as_str()
}
