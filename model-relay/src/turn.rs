//! One request to a model, read.

use attest_core::json::{self, JsonError, Object, Value};

use crate::api::Api;
use crate::conversation::Conversation;
use crate::settings;

/// What a request to a model shows of the agent. See `spec/turn.md`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// The system prompt; `None` where none is shown, or part of it is not.
    pub system_prompt: Option<String>,
    /// The model as named; `None` where none is.
    pub model: Option<String>,
    /// The settings, in canonical JSON; `None` where part of them is not shown.
    pub settings: Option<Vec<u8>>,
    /// Whether calls can come out of it: the model is given tools, or may have been given some that are not shown.
    pub has_tools: bool,
}

/// Why a body is no request of its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Not strict JSON.
    #[error("the body is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// Not an object.
    #[error("the body is JSON, and not an object")]
    NoObject,
    /// A list that is none.
    #[error("the member {0:?} is not a list")]
    NoList(&'static str),
}

impl Turn {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// [`ReadError`]: what one reader sees in such a body, another may not.
    pub fn read(api: Api, body: &[u8]) -> Result<Self, ReadError> {
        let body = json::parse(body)?;
        let request = body.as_object().ok_or(ReadError::NoObject)?;
        let conversation = Conversation::of(api, request);
        let is_here = !conversation.is_elsewhere;
        Ok(Self {
            system_prompt: conversation.prompt(),
            model: request.get("model").and_then(Value::as_str).map(str::to_owned),
            settings: is_here.then(|| settings::canonical(api, request, &conversation.tools)),
            has_tools: lists_tools(request)? || !conversation.tools.is_empty() || !is_here,
        })
    }
}

fn lists_tools(request: &Object<'_>) -> Result<bool, ReadError> {
    let mut some = false;
    for name in settings::TOOLS {
        match request.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::Array(tools)) => some |= !tools.is_empty(),
            Some(_) => return Err(ReadError::NoList(name)),
        }
    }
    Ok(some)
}

#[cfg(test)]
mod tests;
