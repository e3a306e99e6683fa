//! A conversation that has begun, and its steps.

use std::sync::Arc;
use std::time::Duration;

use rmcp::model::{
    CallToolRequestParams, GetPromptRequestParams, JsonObject, ProtocolVersion, ReadResourceRequestParams,
};
use rmcp::service::{ClientCacheConfig, RunningService};
use rmcp::transport::Transport;
use rmcp::{ClientLifecycleMode, ClientServiceExt as _, RoleClient, ServiceError};
use serde::Serialize;
use serde_json::{Value, json};

use super::answers::Answers;
use super::outcome::{Outcome, Verdict};
use super::scenario::Action;
use super::transport::{Ear, Heard, command, http};
use super::{ConverseError, Era, Server, Talk};

/// For one request.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Conversation {
    client: RunningService<RoleClient, Answers>,
    answers: Answers,
    heard: Arc<Heard>,
}

impl Conversation {
    pub(super) async fn open(talk: &Talk) -> Result<Self, ConverseError> {
        match &talk.server {
            Server::Command { words, env } => {
                let folder = talk.workdir.as_ref().map(|path| path.display().to_string());
                let fill = |word: &String| match &folder {
                    Some(path) => word.replace("{workdir}", path),
                    None => word.clone(),
                };
                let words: Vec<_> = words.iter().map(fill).collect();
                let name = words.first().cloned().unwrap_or_default();
                Self::over(command(&words, env)?, talk.era, name).await
            }
            Server::Url { url, headers } => Self::over(http(url, headers)?, talk.era, url.clone()).await,
        }
    }

    async fn over<T>(inner: T, era: Era, server: String) -> Result<Self, ConverseError>
    where
        T: Transport<RoleClient> + 'static,
    {
        let lifecycle = match era {
            Era::Auto => ClientLifecycleMode::Auto {
                preferred_versions: vec![ProtocolVersion::V_2026_07_28],
                legacy_version: Some(ProtocolVersion::V_2025_11_25),
            },
            Era::Legacy => ClientLifecycleMode::Initialize,
        };
        let (answers, heard) = (Answers::default(), Arc::new(Heard::default()));
        let client = answers
            .clone()
            .serve_with_lifecycle(Ear { inner, heard: heard.clone() }, lifecycle)
            .await
            .map_err(|source| ConverseError::Connect { server, source: Box::new(source) })?;
        // Every step must reach the server.
        client.set_response_cache_config(ClientCacheConfig::disabled()).await;
        Ok(Self { client, answers, heard })
    }

    pub(super) fn connected(&self) -> Value {
        let version = self.client.peer_info().map(|info| info.protocol_version.clone());
        json!({"protocol": version, "result": self.heard.greeting()})
    }

    pub(super) fn notifications(&self) -> Vec<Value> {
        self.heard.notifications()
    }

    pub(super) async fn perform(&self, action: &Action) -> Outcome {
        self.answers.take_asked();
        self.heard.take_progress();
        let verdict = match tokio::time::timeout(TIMEOUT, self.say(action)).await {
            Ok(verdict) => verdict,
            Err(_) => Verdict::ClientError(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        let progress = matches!(action, Action::Progress { .. }).then(|| self.heard.take_progress());
        Outcome { verdict, progress, asked: self.answers.take_asked() }
    }

    async fn say(&self, action: &Action) -> Verdict {
        let client = &self.client;
        let result = match action {
            Action::Call { tool, args } | Action::Progress { tool, args } => self.call(tool, args).await,
            // rmcp tells the server when the future of an unanswered request is dropped. The first report of progress
            // shows that the server is at work.
            Action::Cancel { tool, args } => tokio::select! {
                biased;
                result = self.call(tool, args) => result,
                () = self.heard.progressed() => return Verdict::Cancelled(true),
            },
            Action::ListTools => plain(client.list_tools(None).await),
            Action::ListResources => plain(client.list_resources(None).await),
            Action::ListTemplates => plain(client.list_resource_templates(None).await),
            Action::ReadResource { uri } => {
                plain(client.read_resource(ReadResourceRequestParams::new(uri.as_str())).await)
            }
            Action::ListPrompts => plain(client.list_prompts(None).await),
            Action::GetPrompt { name, args } => {
                let mut params = GetPromptRequestParams::new(name.as_str());
                params.arguments = args.clone();
                plain(client.get_prompt(params).await)
            }
            Action::Foreign => return Verdict::ClientError("rmcp's client cannot make this kind of step".to_owned()),
        };
        Verdict::from(result)
    }

    async fn call(&self, tool: &str, arguments: &JsonObject) -> Result<Value, ServiceError> {
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments.clone());
        plain(self.client.call_tool(params).await)
    }

    /// Everything has been written down by now, so a server that does not end well changes nothing.
    pub(super) async fn close(self) {
        let _ = self.client.cancel().await;
    }
}

fn plain<T: Serialize>(result: Result<T, ServiceError>) -> Result<Value, ServiceError> {
    result.map(|value| json!(value))
}
