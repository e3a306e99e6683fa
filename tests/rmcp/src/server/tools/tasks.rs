//! Tools whose work goes on after the answer (the extension io.modelcontextprotocol/tasks, SEP-2663). A client that does not
//! know tasks gets the result at once where the work allows it, and error -32021 where it does not.

use std::time::Duration;

use rmcp::ErrorData;
use rmcp::model::{
    CallToolResult, ClientCapabilities, ContentBlock, CreateTaskResult, InputRequests, InputRequiredResult,
    ProgressNotificationParam, Tool,
};
use rmcp::task_manager::{TaskContext, TaskExit, TaskFuture, TaskOptions};
use serde_json::{Value, json};

use super::rounds::{answered, ask_name, ask_user};
use super::{Answer, Call, plain, said, tool, unknown};

/// The longest that `slow_compute` works, in seconds; the suite asks for at most a minute.
const LONGEST: f64 = 600.0;
/// How long the other tools work, so that a client can see their task while it is at work.
const SHORT: Duration = Duration::from_millis(300);
const NAME: &str = "user_name";

pub(super) fn tools() -> Vec<Tool> {
    vec![
        tool(
            "greet",
            "Greets; never a task",
            json!({"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}),
        ),
        tool(
            "slow_compute",
            "Works as many seconds as it is told",
            json!({"type": "object", "properties": {"seconds": {"type": "number"}, "label": {"type": "string"}}}),
        ),
        plain("failing_job", "Works and fails; only as a task"),
        plain("protocol_error_job", "Works and ends in a protocol error"),
        tool(
            "confirm_delete",
            "Asks the user while it works; only as a task",
            json!({"type": "object", "properties": {"filename": {"type": "string"}}}),
        ),
        plain("multi_input", "Asks the user two things at once while it works; only as a task"),
        plain("test_tool_with_task", "Asks for a name in its answer, then greets; only as a task"),
    ]
}

pub(super) async fn run(call: &Call<'_>) -> Answer {
    let knows_tasks = call.context.client_capabilities().is_some_and(|offered| offered.supports_tasks());
    let name = call.request.name.as_ref();
    match name {
        "greet" => return Ok(said(format!("Hello, {}!", call.text("name", "friend"))).into()),
        "slow_compute" | "protocol_error_job" => {}
        _ if !knows_tasks => {
            let needed = ClientCapabilities::builder().enable_tasks().build();
            return Err(ErrorData::missing_required_client_capability(needed));
        }
        _ => {}
    }
    let job = match name {
        "slow_compute" => {
            Job::Compute { time: seconds(call.argument("seconds"))?, label: call.text("label", "compute").to_owned() }
        }
        "failing_job" => Job::Fail,
        "protocol_error_job" => Job::Break,
        "confirm_delete" => Job::Confirm { file: call.text("filename", "file.txt").to_owned() },
        "multi_input" => Job::AskTwice,
        "test_tool_with_task" => match answered(call.request.input_responses.as_ref(), NAME) {
            Some(answer) => Job::Greet { name: field(answer, "name") },
            None => {
                let questions = InputRequests::from([(NAME.to_owned(), ask_name()?)]);
                return Ok(InputRequiredResult::from_input_requests(questions).into());
            }
        },
        other => return Err(unknown(other)),
    };
    if knows_tasks {
        let task = call.fixture.tasks.spawn(TaskOptions::default(), |context| job.into_task(context));
        return Ok(CreateTaskResult::new(task).into());
    }
    match job {
        Job::Compute { time, label } => {
            report_start(call).await;
            tokio::select! {
                () = call.context.ct.cancelled() => Err(ErrorData::internal_error("the client cancelled this call", None)),
                () = tokio::time::sleep(time) => Ok(computed(&label, time).into()),
            }
        }
        _ => Err(broken()),
    }
}

/// Shows the client that its call is at work, so that it can cancel it then.
async fn report_start(call: &Call<'_>) {
    if let Some(token) = call.context.meta.get_progress_token() {
        let _ = call.context.peer.notify_progress(ProgressNotificationParam::new(token, 0.0)).await;
    }
}

enum Job {
    Compute { time: Duration, label: String },
    Fail,
    Break,
    Confirm { file: String },
    AskTwice,
    Greet { name: String },
}

impl Job {
    fn into_task(self, context: TaskContext) -> TaskFuture {
        Box::pin(async move {
            match self {
                Self::Compute { time, label } => tokio::select! {
                    () = context.cancelled() => Err(TaskExit::Cancelled),
                    () = tokio::time::sleep(time) => Ok(computed(&label, time)),
                },
                Self::Fail => {
                    tokio::time::sleep(SHORT).await;
                    Ok(CallToolResult::error(vec![ContentBlock::text("This job fails, as it should")]))
                }
                Self::Break => {
                    tokio::time::sleep(SHORT).await;
                    Err(TaskExit::Error(broken()))
                }
                Self::Confirm { file } => {
                    let question = ask_user(&format!("Delete {file}?"), "confirm", "boolean")?;
                    let answer = context.request_input("confirm", question).await?;
                    let confirmed = answer.pointer("/content/confirm").and_then(Value::as_bool).unwrap_or(false);
                    Ok(said(format!("{file}: confirmed = {confirmed}")))
                }
                Self::AskTwice => {
                    let ask = |key| {
                        let question = ask_user("Provide a value", "value", "string");
                        let context = &context;
                        async move { context.request_input(key, question?).await }
                    };
                    let (first, second) = tokio::join!(ask("first"), ask("second"));
                    Ok(said(format!("first = {}, second = {}", field(&first?, "value"), field(&second?, "value"))))
                }
                Self::Greet { name } => {
                    tokio::time::sleep(SHORT).await;
                    Ok(said(format!("Hello, {name}!")))
                }
            }
        })
    }
}

fn seconds(argument: Option<&Value>) -> Result<Duration, ErrorData> {
    let seconds = argument.map_or(Some(1.0), Value::as_f64).filter(|seconds| (0.0..=LONGEST).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| {
        ErrorData::invalid_params(format!("the argument `seconds` must be a number from 0 to {LONGEST}"), None)
    })
}

fn computed(label: &str, time: Duration) -> CallToolResult {
    said(format!("{label}: done after {} s", time.as_secs_f64()))
}

fn broken() -> ErrorData {
    ErrorData::internal_error("this job ends in a protocol error, as it should", None)
}

/// A text field of a form that the user filled in.
fn field(answer: &Value, name: &str) -> String {
    answer.pointer("/content").and_then(|form| form.get(name)).and_then(Value::as_str).unwrap_or("nobody").to_owned()
}
