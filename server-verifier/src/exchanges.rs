//! The guard over HTTP: one for each exchange, all of one gate.

use std::sync::Arc;

use attest_core::refusal::Reason;
use http::Extensions;
use http::request::Parts;
use mcp_relay::http::{Exchange, Exchanges};

use crate::gate::Gate;
use crate::guard::Guard;

/// The session of the revisions up to 2025-11-25.
const SESSION: &str = "mcp-session-id";

/// Opens a guard for each exchange.
#[derive(Clone)]
pub(crate) struct Guards(pub Arc<Gate>);

impl Exchanges for Guards {
    type Interceptor = Guard;

    fn open(&self, head: &Parts) -> Guard {
        match head.headers.get(SESSION) {
            Some(session) => Guard::of_session(self.0.clone(), session.as_bytes()),
            None => Guard::new(self.0.clone()),
        }
    }

    fn bad_http(&self) {
        let gate = self.0.clone();
        tokio::spawn(async move { gate.refused(&gate.rules(), &Reason::BadHttp.into()).await });
    }
}

impl Exchange for Guard {
    fn annotate(&self, extensions: &mut Extensions) {
        if let Some(attested) = self.attested() {
            extensions.insert(attested);
        }
    }
}
