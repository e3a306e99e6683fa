//! Tools that send notifications while they run, or cause them elsewhere.
// Logging and sampling are deprecated in 2026-07-28 (SEP-2577); the suite asks for them in both eras.
#![expect(deprecated)]

use rmcp::ErrorData;
use rmcp::model::{ClientCapabilities, LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, Tool};
use serde_json::json;

use super::super::subscribers::Change;
use super::{Answer, Call, plain, said, unknown};

pub(super) fn tools() -> Vec<Tool> {
    vec![
        plain("test_tool_with_logging", "Logs three messages at the level info"),
        plain("test_logging_tool", "Logs one message, and only where the request names a level"),
        plain("test_tool_with_progress", "Reports its progress three times"),
        plain("test_reconnection", "Answers over a stream that the client may have to open again"),
        plain("test_trigger_tool_change", "Tells the subscribers that the tools have changed"),
        plain("test_trigger_prompt_change", "Tells the subscribers that the prompts have changed"),
        plain("test_missing_capability", "Runs only for clients that offer sampling"),
    ]
}

pub(super) async fn run(call: &Call<'_>) -> Answer {
    match call.request.name.as_ref() {
        "test_tool_with_logging" => {
            for message in ["Tool execution started", "Tool processing data", "Tool execution completed"] {
                log(call, LoggingLevel::Info, message).await;
            }
            Ok(said("Three messages were logged").into())
        }
        "test_logging_tool" => {
            if let Some(level) = call.context.meta.log_level() {
                log(call, level, "The request names this level").await;
            }
            Ok(said("Logged where a level was named").into())
        }
        "test_tool_with_progress" => {
            report(call).await;
            Ok(said("Progress was reported").into())
        }
        "test_reconnection" => Ok(said("The answer has arrived").into()),
        "test_trigger_tool_change" => {
            call.fixture.subscribers.tell(Change::Tools).await;
            Ok(said("The subscribers to tools were told").into())
        }
        "test_trigger_prompt_change" => {
            call.fixture.subscribers.tell(Change::Prompts).await;
            Ok(said("The subscribers to prompts were told").into())
        }
        "test_missing_capability" => {
            if call.context.client_capabilities().is_some_and(|offered| offered.sampling.is_some()) {
                return Ok(said("The client offers sampling").into());
            }
            let needed = ClientCapabilities::builder().enable_sampling().build();
            Err(ErrorData::missing_required_client_capability(needed))
        }
        other => Err(unknown(other)),
    }
}

/// Logs unless the session asked for more severe messages only. A client that does not listen is no failure of the tool.
async fn log(call: &Call<'_>, level: LoggingLevel, message: &str) {
    if level as u8 >= call.level as u8 {
        let params = LoggingMessageNotificationParam::new(level, json!(message)).with_logger("conformance");
        let _ = call.context.peer.notify_logging_message(params).await;
    }
}

async fn report(call: &Call<'_>) {
    let Some(token) = call.context.meta.get_progress_token() else { return };
    for progress in [0.0, 50.0, 100.0] {
        let params = ProgressNotificationParam::new(token.clone(), progress)
            .with_total(100.0)
            .with_message(format!("Completed step {progress} of 100"));
        let _ = call.context.peer.notify_progress(params).await;
    }
}
