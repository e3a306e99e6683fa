//! Completion of the arguments that the prompts and the resource template take.

use rmcp::ErrorData;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

const IDS: &[&str] = &["1", "2", "3"];
const WORDS: &[&str] = &["paris", "park", "party", "test", "testing"];

pub(super) fn complete(request: &CompleteRequestParams) -> Result<CompleteResult, ErrorData> {
    let known: &[&str] = match (&request.r#ref, request.argument.name.as_str()) {
        (Reference::Resource(_), "id") => IDS,
        (Reference::Prompt(_), "arg1" | "arg2" | "resourceUri") => WORDS,
        _ => &[],
    };
    let typed = request.argument.value.as_str();
    let fitting = known.iter().filter(|word| word.starts_with(typed)).map(ToString::to_string).collect();
    CompletionInfo::with_all_values(fitting)
        .map(CompleteResult::new)
        .map_err(|error| ErrorData::internal_error(error, None))
}
