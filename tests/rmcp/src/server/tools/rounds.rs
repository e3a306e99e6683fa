//! Tools that ask in their answer and are called again with what the client found out (2026-07-28, SEP-2322).
// Sampling and roots are deprecated in 2026-07-28 (SEP-2577), and are two of the three things that can be asked.
#![expect(deprecated)]

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResponse, ClientCapabilities, CreateMessageRequest, CreateMessageRequestParams, ElicitRequest,
    ElicitRequestParams, ElicitationSchema, InputRequest, InputRequests, InputRequiredResult, InputResponses,
    ListRootsRequest, SamplingMessage, Tool,
};
use serde_json::{Value, json};

use super::{Answer, Call, object, plain, said, unknown};

const MAX_TOKENS: u32 = 100;
const NAME: &str = "user_name";
const GREETING: &str = "greeting";
const ROOTS: &str = "client_roots";

pub(super) fn tools() -> Vec<Tool> {
    vec![
        plain("test_input_required_result_elicitation", "Asks the user for a name"),
        plain("test_input_required_result_sampling", "Asks the client's model a question"),
        plain("test_input_required_result_list_roots", "Asks which folders the client has open"),
        plain("test_input_required_result_request_state", "Asks, and wants its state back"),
        plain("test_input_required_result_tampered_state", "Asks, and refuses a state that is not its own"),
        plain("test_input_required_result_multiple_inputs", "Asks user, model and client at once"),
        plain("test_input_required_result_multi_round", "Asks twice, one after the other"),
        plain("test_input_required_result_capabilities", "Asks only what the client says it can answer"),
        plain("test_streaming_elicitation", "Asks the user for a value, each time it is called"),
    ]
}

/// What a call leads to: more questions, with the state that must come back with their answers, or the end.
enum Next {
    Ask(Vec<(&'static str, InputRequest)>, Option<Value>),
    Done(String),
}

pub(super) fn run(call: &Call<'_>) -> Answer {
    // What comes back has been in the client's hands, so nothing is read from it before its seal holds.
    let state: Option<Value> = match &call.request.request_state {
        None => None,
        Some(sealed) => Some(
            call.fixture
                .states
                .open_json(sealed)
                .map_err(|_| ErrorData::invalid_params("this requestState was not made here", None))?,
        ),
    };
    match next(call, state.as_ref())? {
        Next::Done(text) => Ok(said(text).into()),
        Next::Ask(questions, state) => {
            let sealed = state
                .map(|state| call.fixture.states.seal_json(&state))
                .transpose()
                .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
            let questions: InputRequests =
                questions.into_iter().map(|(key, question)| (key.to_owned(), question)).collect();
            Ok(CallToolResponse::from(InputRequiredResult::new(Some(questions), sealed)))
        }
    }
}

fn next(call: &Call<'_>, state: Option<&Value>) -> Result<Next, ErrorData> {
    let given = |key| answered(call.request.input_responses.as_ref(), key);
    let text_at = |answer: &Value, path| answer.pointer(path).and_then(Value::as_str).unwrap_or("nothing").to_owned();
    Ok(match call.request.name.as_ref() {
        "test_input_required_result_elicitation" => match given(NAME) {
            Some(answer) => Next::Done(format!("Hello, {}!", text_at(answer, "/content/name"))),
            None => Next::Ask(vec![(NAME, ask_name()?)], None),
        },
        "test_input_required_result_sampling" => match given("capital_question") {
            Some(answer) => Next::Done(format!("The model says: {}", text_at(answer, "/content/text"))),
            None => Next::Ask(vec![("capital_question", ask_model("What is the capital of France?"))], None),
        },
        "test_input_required_result_list_roots" => match given(ROOTS) {
            Some(answer) => Next::Done(format!("The first root: {}", text_at(answer, "/roots/0/uri"))),
            None => Next::Ask(vec![(ROOTS, ask_roots())], None),
        },
        "test_input_required_result_request_state" | "test_input_required_result_tampered_state" => match state {
            Some(_) => Next::Done("Confirmed: state-ok".to_owned()),
            None => Next::Ask(vec![("confirm", ask_user("Please confirm", "ok", "boolean")?)], Some(json!("confirm"))),
        },
        "test_input_required_result_multiple_inputs" => {
            if state.is_some() && [NAME, GREETING, ROOTS].into_iter().all(|key| given(key).is_some()) {
                return Ok(Next::Done("All inputs received".to_owned()));
            }
            let questions = vec![(NAME, ask_name()?), (GREETING, ask_model("Greet the user")), (ROOTS, ask_roots())];
            Next::Ask(questions, Some(json!("gather")))
        }
        "test_input_required_result_multi_round" => match state.and_then(Value::as_u64) {
            None => Next::Ask(vec![("step1", ask_user("Step 1: your name?", "name", "string")?)], Some(json!(1))),
            Some(1) => Next::Ask(vec![("step2", ask_user("Step 2: your color?", "color", "string")?)], Some(json!(2))),
            Some(_) => Next::Done("Both rounds are over".to_owned()),
        },
        "test_input_required_result_capabilities" => {
            let questions = within(&call.context.client_capabilities().unwrap_or_default())?;
            if call.request.input_responses.is_some() || questions.is_empty() {
                return Ok(Next::Done("Nothing more to ask".to_owned()));
            }
            Next::Ask(questions, None)
        }
        "test_streaming_elicitation" => {
            Next::Ask(vec![("streaming_elicitation", ask_user("Provide a value", "value", "string")?)], None)
        }
        other => return Err(unknown(other)),
    })
}

/// The questions that a client with these capabilities can answer.
fn within(offered: &ClientCapabilities) -> Result<Vec<(&'static str, InputRequest)>, ErrorData> {
    let mut questions = Vec::new();
    if offered.elicitation.is_some() {
        questions.push((NAME, ask_name()?));
    }
    if offered.sampling.is_some() {
        questions.push((GREETING, ask_model("Greet the user")));
    }
    if offered.roots.is_some() {
        questions.push((ROOTS, ask_roots()));
    }
    Ok(questions)
}

/// The answer to one question. All three kinds are objects; what is none counts as missing, and is asked for again.
pub(in crate::server) fn answered<'a>(answers: Option<&'a InputResponses>, key: &str) -> Option<&'a Value> {
    answers?.get(key).filter(|answer| answer.is_object())
}

/// A form with one field, which must be filled in; `kind` is its JSON Schema type.
pub(in crate::server) fn ask_user(message: &str, field: &str, kind: &str) -> Result<InputRequest, ErrorData> {
    let schema = json!({"type": "object", "properties": {field: {"type": kind}}, "required": [field]});
    let requested_schema = ElicitationSchema::from_json_schema(object(schema))
        .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
    let params =
        ElicitRequestParams::FormElicitationParams { meta: None, message: message.to_owned(), requested_schema };
    Ok(InputRequest::Elicitation(ElicitRequest::new(params)))
}

pub(super) fn ask_name() -> Result<InputRequest, ErrorData> {
    ask_user("What is your name?", "name", "string")
}

fn ask_model(prompt: &str) -> InputRequest {
    let params = CreateMessageRequestParams::new(vec![SamplingMessage::user_text(prompt)], MAX_TOKENS);
    InputRequest::CreateMessage(CreateMessageRequest::new(params))
}

fn ask_roots() -> InputRequest {
    InputRequest::ListRoots(ListRootsRequest::default())
}
