//! `Attested` as an argument of a plain axum handler behind the layer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test rests on is there, or the test fails at that line"
)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::request::attested;
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::signing::{Credentials, Form, Particulars, sign_call};
use attest_core::tools::Tools;
use attest_log::clock::now;
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::post;
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use server_verifier::{AttestLayer, Attested, Component, Config, Gate, Grade, Measurement};
use tower::ServiceExt as _;

const CALL: &str = r#"{"id":1,"jsonrpc":"2.0","method":"tools/call","params":{"arguments":{},"name":"echo"}}"#;
const LIST: &str = r#"{"id":1,"jsonrpc":"2.0","method":"tools/list"}"#;

/// The attester, the owner who delegates, a team between, and the agent.
struct Keys {
    attester: MemoryKey,
    owner: MemoryKey,
    team: MemoryKey,
    agent: MemoryKey,
}

impl Keys {
    fn new() -> Self {
        let [attester, owner, team, agent] = [1, 2, 3, 4].map(|seed| MemoryKey::from_seed(&[seed; 32]));
        Self { attester, owner, team, agent }
    }

    fn config(&self, folder: &Path) -> Config {
        let jwk = |key: &MemoryKey| format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{}\" }}", key.public().x());
        let text = format!(
            "audience = \"tools\"\nlog = \"guard.db\"\n\
             [[attester]]\nissuer = \"measurer\"\nagents = [\"a1\"]\njwk = {}\n\
             [[root]]\nissuer = \"owner\"\ntools = [\"tools#*\"]\njwk = {}\n\
             [agents.a1]\nsystem-prompt = \"any\"\n",
            jwk(&self.attester),
            jwk(&self.owner),
        );
        let path = folder.join("guard.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&path).unwrap()
    }

    /// The call, signed by the agent, to whom the owner delegated by way of the team.
    fn sign(&self) -> Vec<u8> {
        let attestation = Attestation {
            issuer: "measurer".to_owned(),
            agent: "a1".to_owned(),
            issued_at: now(),
            expires: now() + 300,
            id: Jti([1; 16]),
            key: self.agent.public().clone(),
            measurements: vec![prompt()],
            platform: None,
            nonce: None,
            status: None,
        };
        let root = Delegation {
            issuer: "owner".to_owned(),
            id: "root".to_owned(),
            issued_at: now(),
            expires: now() + 300,
            key: self.team.public().clone(),
            depth: 0,
            max_depth: 1,
            parent: None,
            tools: Tools(BTreeMap::from([("tools#echo".to_owned(), BTreeMap::new())])),
            flow: None,
            pins: None,
            by: None,
            status: None,
        };
        let root_token = root.sign(&self.owner).unwrap();
        let signing_input = Digest::of(Unverified::<Delegation>::read(&root_token).unwrap().signing_input());
        let leaf = Delegation {
            issuer: thumbprint_uri(self.team.public().thumbprint()),
            id: "leaf".to_owned(),
            key: self.agent.public().clone(),
            depth: 1,
            parent: Some(signing_input),
            ..root
        };
        let chain = [root_token, leaf.sign(&self.team).unwrap()];
        let credentials = Credentials::new(&attestation.sign(&self.attester).unwrap(), &chain).unwrap();
        let particulars = Particulars {
            audience: "tools",
            context: Jti([2; 16]),
            id: Jti([3; 16]),
            salt: Salt([4; 16]),
            now: now(),
            life: 60,
            lineage: Default::default(),
            nonce: None,
        };
        let message = json::parse(CALL.as_bytes()).unwrap();
        let call = attested(&message).unwrap();
        sign_call(&call, &credentials, particulars, &self.agent).unwrap().request(Form::Full)
    }
}

fn prompt() -> Measurement {
    Measurement { component: Component::SystemPrompt, digest: Digest::of("You are careful."), grade: Grade::OnDisk }
}

/// What an MCP endpoint answers with, as far as the layer looks at it.
fn answer(text: &str) -> impl IntoResponse + use<> {
    let body = format!(r#"{{"id":1,"jsonrpc":"2.0","result":{{"content":[{{"text":"{text}","type":"text"}}]}}}}"#);
    ([(CONTENT_TYPE, "application/json")], body)
}

async fn strict(caller: Attested) -> impl IntoResponse {
    assert_eq!(caller.measurement(Component::SystemPrompt), Some(&prompt()));
    assert_eq!(caller.measurement(Component::ModelWeights), None);
    let holders: Vec<String> = caller.holders().map(ToString::to_string).collect();
    let keys = Keys::new();
    let [team, agent] = [&keys.team, &keys.agent].map(|key| key.public().thumbprint().to_string());
    assert_eq!(holders, [team, agent]);
    let Attested { agent, tool, .. } = &caller;
    let tool = tool.as_deref().unwrap_or_default();
    answer(&format!("{agent} calls {tool} for {}, measured by {}", caller.on_behalf_of(), caller.vouched_for_by()))
}

async fn lenient(caller: Option<Attested>) -> impl IntoResponse {
    answer(&caller.map_or("nobody".to_owned(), |caller| caller.agent))
}

fn routes() -> Router {
    Router::new().route("/strict", post(strict)).route("/lenient", post(lenient))
}

async fn ask(router: &Router, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
    let request = Request::post(path).header(CONTENT_TYPE, "application/json").body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_behind_the_layer_is_told_who_calls_through_whom_and_in_what_state() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::new());
    let gate = Arc::new(Gate::open(keys.config(folder.path())).await.unwrap());
    let router = routes().layer(AttestLayer::new(gate.clone()));
    let signed = keys.sign();

    let (status, body) = ask(&router, "/strict", signed.clone()).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(body.contains("a1 calls echo for owner, measured by measurer"), "{body}");
    let (_, body) = ask(&router, "/strict", signed).await;
    assert!(body.contains(r#""reason":"replay""#), "{body}");
    let (_, body) = ask(&router, "/strict", CALL).await;
    assert!(body.contains(r#""reason":"unauthenticated""#), "{body}");
    gate.close().await;
}

#[tokio::test]
async fn what_needs_no_proof_has_no_caller() {
    let (folder, keys) = (tempfile::tempdir().unwrap(), Keys::new());
    let gate = Arc::new(Gate::open(keys.config(folder.path())).await.unwrap());
    let router = routes().layer(AttestLayer::new(gate.clone()));

    let (status, body) = ask(&router, "/strict", LIST).await;
    assert_eq!((status, &*body), (StatusCode::FORBIDDEN, "no attested call"));
    let (_, body) = ask(&router, "/lenient", LIST).await;
    assert!(body.contains("nobody"), "{body}");
    let (_, body) = ask(&router, "/lenient", keys.sign()).await;
    assert!(body.contains("a1"), "{body}");
    gate.close().await;
}

#[tokio::test]
async fn without_the_layer_no_proof_makes_a_caller() {
    let (router, keys) = (routes(), Keys::new());
    let (status, body) = ask(&router, "/strict", keys.sign()).await;
    assert_eq!((status, &*body), (StatusCode::FORBIDDEN, "no attested call"));
}
