//! The way to the server, and an ear on it.

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, HeaderValue};
use rmcp::RoleClient;
use rmcp::model::{JsonRpcMessage, ServerNotification, ServerResult};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::{StreamableHttpClientTransport, TokioChildProcess, Transport};
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::sync::Notify;

use super::ConverseError;

/// What a server's command inherits, beside what it is given: the same as the Python SDK's client hands on.
const INHERITED: [&str; 6] = ["HOME", "LOGNAME", "PATH", "SHELL", "TERM", "USER"];

/// What came over the wire, in the order in which it came. rmcp hands notifications to tasks of their own, where that order
/// is lost, and a notification may be handled only after the answer that followed it.
#[derive(Debug, Default)]
pub(super) struct Heard {
    state: Mutex<State>,
    progressed: Notify,
}

#[derive(Debug, Default)]
struct State {
    greeting: Value,
    progress: Vec<Value>,
    notifications: Vec<Value>,
}

impl Heard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server's answer to `initialize` or `server/discover`; the last, where it took more than one.
    pub(super) fn greeting(&self) -> Value {
        self.state().greeting.clone()
    }

    /// Progress since this was last asked for, without the token.
    pub(super) fn take_progress(&self) -> Vec<Value> {
        std::mem::take(&mut self.state().progress)
    }

    /// All that came unasked, except progress.
    pub(super) fn notifications(&self) -> Vec<Value> {
        self.state().notifications.clone()
    }

    /// Waits for progress that has not been taken.
    pub(super) async fn progressed(&self) {
        loop {
            let next = self.progressed.notified();
            if !self.state().progress.is_empty() {
                return;
            }
            next.await;
        }
    }

    fn note(&self, message: &RxJsonRpcMessage<RoleClient>) {
        match message {
            JsonRpcMessage::Notification(notification) => {
                if let ServerNotification::ProgressNotification(progress) = &notification.notification {
                    let mut params = json!(progress.params);
                    if let Some(members) = params.as_object_mut() {
                        members.remove("progressToken");
                    }
                    self.state().progress.push(params);
                    self.progressed.notify_waiters();
                } else {
                    self.state().notifications.push(json!(notification.notification));
                }
            }
            JsonRpcMessage::Response(response) => {
                if let ServerResult::InitializeResult(_) | ServerResult::DiscoverResult(_) = &response.result {
                    self.state().greeting = json!(response.result);
                }
            }
            _ => {}
        }
    }
}

/// A transport that notes what it receives.
pub(super) struct Ear<T> {
    pub(super) inner: T,
    pub(super) heard: Arc<Heard>,
}

impl<T: Transport<RoleClient>> Transport<RoleClient> for Ear<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        item: TxJsonRpcMessage<RoleClient>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.inner.send(item)
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleClient>> {
        let message = self.inner.receive().await?;
        self.heard.note(&message);
        Some(message)
    }

    fn close(&mut self) -> impl Future<Output = Result<(), Self::Error>> + Send {
        self.inner.close()
    }
}

/// Starts the server's command; what it writes to stderr goes to ours.
pub(super) fn command(words: &[String], more: &[(String, String)]) -> Result<TokioChildProcess, ConverseError> {
    let (program, arguments) = words.split_first().ok_or(ConverseError::NoCommand)?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear();
    command.envs(INHERITED.iter().filter_map(|name| Some((name, env::var_os(name)?))));
    command.envs(more.iter().map(|(name, value)| (name, value)));
    TokioChildProcess::new(command).map_err(|source| ConverseError::Start { command: program.clone(), source })
}

pub(super) fn http(
    url: &str,
    headers: &[(String, String)],
) -> Result<impl Transport<RoleClient, Error: Send> + 'static, ConverseError> {
    let header = |(name, value): &(String, String)| {
        let parsed = name.parse::<HeaderName>().ok().zip(value.parse::<HeaderValue>().ok());
        parsed.ok_or_else(|| ConverseError::Header(format!("{name}={value}")))
    };
    let headers = headers.iter().map(header).collect::<Result<HashMap<_, _>, _>>()?;
    let config = StreamableHttpClientTransportConfig::with_uri(url).custom_headers(headers);
    Ok(StreamableHttpClientTransport::from_config(config))
}
