//! Four prompts that answer at once, and one that first asks the user (2026-07-28).

use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ContentBlock, GetPromptRequestParams, GetPromptResponse, GetPromptResult, ImageContent, InputRequests,
    InputRequiredResult, ListPromptsResult, Prompt, PromptArgument, PromptMessage, ResourceContents, Role,
};
use serde_json::Value;

use super::CACHE_TTL_MS;
use super::resources;
use super::tools::PIXEL_PNG;
use super::tools::rounds::{answered, ask_user};

const SIMPLE: &str = "test_simple_prompt";
const ARGUMENTS: &str = "test_prompt_with_arguments";
const RESOURCE: &str = "test_prompt_with_embedded_resource";
const IMAGE: &str = "test_prompt_with_image";
const ASKS: &str = "test_input_required_result_prompt";

pub(super) fn list() -> ListPromptsResult {
    let argument = |name, text, required| PromptArgument::new(name).with_description(text).with_required(required);
    let prompts = vec![
        Prompt::new(SIMPLE, Some("A prompt of one sentence"), None),
        Prompt::new(
            ARGUMENTS,
            Some("A prompt that repeats its arguments"),
            Some(vec![argument("arg1", "The first", true), argument("arg2", "The second", true)]),
        ),
        Prompt::new(
            RESOURCE,
            Some("A prompt with a resource in it"),
            Some(vec![argument("resourceUri", "The resource's address", false)]),
        ),
        Prompt::new(IMAGE, Some("A prompt with an image in it"), None),
        Prompt::new(ASKS, Some("A prompt that asks the user for its context"), None),
    ];
    ListPromptsResult::with_all_items(prompts).with_ttl_ms(CACHE_TTL_MS).with_cache_scope(CacheScope::Public)
}

pub(super) fn get(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    let argument = |name: &str| {
        request.arguments.as_ref().and_then(|all| all.get(name)).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let messages = match request.name.as_str() {
        SIMPLE => vec![says("This is a simple prompt for testing.")],
        ARGUMENTS => {
            vec![says(format!("Prompt with arguments: arg1='{}', arg2='{}'", argument("arg1"), argument("arg2")))]
        }
        RESOURCE => {
            let given = argument("resourceUri");
            let uri = if given.is_empty() { resources::TEXT.to_owned() } else { given };
            let contents = ResourceContents::text("Embedded resource content for testing.", uri);
            vec![
                PromptMessage::new(Role::User, ContentBlock::resource(contents.with_mime_type("text/plain"))),
                says("Please process the embedded resource above."),
            ]
        }
        IMAGE => vec![
            PromptMessage::new(Role::User, ContentBlock::Image(ImageContent::new(PIXEL_PNG, "image/png"))),
            says("Please analyze the image above."),
        ],
        ASKS => return with_context(request),
        other => return Err(ErrorData::invalid_params(format!("there is no prompt {other}"), None)),
    };
    Ok(GetPromptResult::new(messages).into())
}

fn says(text: impl Into<String>) -> PromptMessage {
    PromptMessage::new_text(Role::User, text)
}

fn with_context(request: &GetPromptRequestParams) -> Result<GetPromptResponse, ErrorData> {
    match answered(request.input_responses.as_ref(), "user_context") {
        Some(answer) => {
            let context = answer.pointer("/content/context").and_then(Value::as_str).unwrap_or("none");
            Ok(GetPromptResult::new(vec![says(format!("The user's context: {context}"))]).into())
        }
        None => {
            let ask = ask_user("What context should the prompt use?", "context", "string")?;
            Ok(InputRequiredResult::from_input_requests(InputRequests::from([("user_context".to_owned(), ask)])).into())
        }
    }
}
