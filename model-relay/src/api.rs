//! The three APIs: where they stand, and which members of a request are conversation.

/// An API that generates text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// OpenAI Chat Completions.
    Chat,
    /// OpenAI Responses.
    Responses,
    /// Anthropic Messages.
    Messages,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Responses, Self::Messages];

    /// How a path of it ends.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Chat => "/chat/completions",
            Self::Responses => "/responses",
            Self::Messages => "/messages",
        }
    }

    /// The API behind `path`, of which `base` is the part that the operator named. Before the ending stands nothing, that
    /// part, or a version: `/v1/threads/x/messages` is another API, and in `/deployments/x/chat/completions` the model
    /// stands where nobody looks.
    pub fn at(path: &str, base: &str) -> Option<Self> {
        // Spellings that somebody else may resolve to another path.
        if ["%", "\\", ";", "..", "//"].iter().any(|odd| path.contains(odd)) {
            return None;
        }
        Self::ALL.into_iter().find(|api| {
            path.strip_suffix(api.ending()).is_some_and(|before| {
                let last = before.rsplit('/').next().unwrap_or_default();
                before == base.trim_end_matches('/') || before.is_empty() || is_version(last)
            })
        })
    }

    /// Members that are no setting: the conversation, and what says how, for whom and under which name it is kept. Everything
    /// else counts, so that a setting which is new changes the digest.
    pub(crate) fn left_out(self) -> &'static [&'static str] {
        match self {
            Self::Chat => &[
                "messages",
                "metadata",
                "model",
                "prediction",
                "prompt_cache_key",
                "prompt_cache_options",
                "prompt_cache_retention",
                "safety_identifier",
                "store",
                "stream",
                "stream_options",
                "user",
            ],
            Self::Responses => &[
                "conversation",
                "input",
                "instructions",
                "metadata",
                "model",
                "previous_response_id",
                "prompt",
                "prompt_cache_key",
                "prompt_cache_options",
                "prompt_cache_retention",
                "safety_identifier",
                "store",
                "stream",
                "stream_options",
                "user",
            ],
            Self::Messages => &[
                "cache_control",
                "diagnostics",
                "fallback_credit_token",
                "messages",
                "metadata",
                "model",
                "stream",
                "system",
                "thread",
            ],
        }
    }
}

fn is_version(segment: &str) -> bool {
    let mut bytes = segment.bytes();
    bytes.next() == Some(b'v')
        && bytes.next().is_some_and(|c| c.is_ascii_digit())
        && bytes.all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_stands_behind_a_version_or_the_base_that_was_named() {
        for (path, base, api) in [
            ("/v1/chat/completions", "/", Api::Chat),
            ("/chat/completions", "/", Api::Chat),
            ("/openai/v1/responses", "/", Api::Responses),
            ("/v1/messages", "/", Api::Messages),
            ("/anthropic/v1/messages", "/", Api::Messages),
            ("/api/v1beta/chat/completions", "/", Api::Chat),
            ("/v1beta/openai/chat/completions", "/v1beta/openai/", Api::Chat),
        ] {
            assert_eq!(Api::at(path, base), Some(api), "{path}");
        }
    }

    #[test]
    fn other_paths_are_none_of_them() {
        for path in [
            "/",
            "/v1/completions",
            "/v1/messages/",
            "/v1/messages/batches",
            "/v1/messages/count_tokens",
            "/v1/threads/x/messages",
            "/v1/responses/x/cancel",
            "/openai/deployments/x/chat/completions",
            "/v1beta/openai/chat/completions",
            "/v1//messages",
            "/v1/Messages",
            "/v1/x/../messages",
            "/v1/x/../v1/messages",
            "//x/v1/messages",
            "/x;y/v1/messages",
            "/x%2Fy/v1/messages",
            "/x\\y/v1/messages",
            "/v1%2Fmessages",
            "/v/messages",
            "/vx/messages",
            "/v1/embeddings",
        ] {
            assert_eq!(Api::at(path, "/"), None, "{path}");
        }
    }
}
