//! One agent, one server, everything right; a test changes one thing.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests, each of which uses a part"
)]

use std::collections::{BTreeMap, HashMap};

use attest_core::attestation::Attestation;
use attest_core::constraint::Constraint;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::flow::Flow;
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::labels::Labels;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_core::refusal::{Check, Refusal};
use attest_core::request::attested;
use attest_core::sign::{MemoryKey, Sign};
use attest_core::signing::{Credentials, Form, Lineage, Particulars, sign_call};
use attest_core::status::StatusRef;
use attest_core::tools::Tools;
use attest_core::trust::{Attester, Reference, Root, Scope, Trust};
use attest_core::verifier::{Accepted, Verifier};

pub const NOW: u64 = 1_800_000_000;
pub const REQUEST: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"read_file","arguments":{"path":"/srv/a.txt"},"_meta":{"progressToken":1,"com.example/tenant":"acme"}}}"#;

/// What each test starts from.
pub struct World {
    pub attester: MemoryKey,
    pub root: MemoryKey,
    pub agent: MemoryKey,
    /// Of the system prompt.
    pub digest: Digest,
    pub tools: Tools,
    /// Of the attestation: another one is another token.
    pub id: Jti,
    /// Of the attestation.
    pub status: Option<StatusRef>,
    /// What root and leaf say about flow.
    pub flows: [Option<Flow>; 2],
    /// What the root's key may release.
    pub labels: Labels,
    /// How often the root may be passed on.
    pub passes: u64,
}

impl World {
    pub fn new() -> Self {
        let tools = BTreeMap::from([(
            "files#read_file".to_owned(),
            BTreeMap::from([("path".to_owned(), Constraint::Wildcard)]),
        )]);
        Self {
            attester: MemoryKey::from_seed(&[1; 32]),
            root: MemoryKey::from_seed(&[2; 32]),
            agent: MemoryKey::from_seed(&[3; 32]),
            digest: Digest::of("the prompt"),
            tools: Tools(tools),
            id: Jti([9; 16]),
            status: None,
            flows: [None, None],
            labels: Labels::None,
            passes: 2,
        }
    }

    pub fn trust(&self) -> Trust {
        let references = BTreeMap::from([(
            Component::SystemPrompt,
            Reference {
                digests: Some(vec![Digest::of("the prompt").into()]),
                grade: Grade::OnDisk,
                endorsed: false,
                rule: None,
            },
        )]);
        Trust::new(
            "files".to_owned(),
            vec![Attester {
                key: self.attester.public().clone(),
                issuer: "acme".to_owned(),
                agents: vec!["a1".to_owned()],
            }],
            vec![Root {
                key: self.root.public().clone(),
                issuer: "owner".to_owned(),
                tools: ["files#*", "mail#*"].map(|scope| Scope::parse(scope).unwrap()).to_vec(),
                labels: self.labels.clone(),
            }],
            HashMap::from([("a1".to_owned(), references)]),
        )
        .unwrap()
    }

    pub fn attestation(&self) -> String {
        Attestation {
            issuer: "acme".to_owned(),
            agent: "a1".to_owned(),
            issued_at: NOW - 10,
            expires: NOW + 290,
            id: self.id,
            key: self.agent.public().clone(),
            measurements: vec![Measurement {
                component: Component::SystemPrompt,
                digest: self.digest,
                grade: Grade::OnDisk,
            }],
            platform: None,
            nonce: None,
            status: self.status.clone(),
        }
        .sign(&self.attester)
        .unwrap()
    }

    pub fn chain(&self) -> Vec<String> {
        let middle = MemoryKey::from_seed(&[4; 32]);
        let root = Delegation {
            issuer: "owner".to_owned(),
            id: "r".to_owned(),
            issued_at: NOW - 100,
            expires: NOW + 1000,
            key: middle.public().clone(),
            depth: 0,
            max_depth: self.passes,
            parent: None,
            tools: self.tools.clone(),
            flow: self.flows[0].clone(),
            pins: None,
            by: None,
            status: None,
        };
        let root_token = root.sign(&self.root).unwrap();
        let parent = Unverified::<Delegation>::read(&root_token).unwrap();
        let child = Delegation {
            issuer: thumbprint_uri(middle.public().thumbprint()),
            id: "c".to_owned(),
            issued_at: NOW - 50,
            key: self.agent.public().clone(),
            depth: 1,
            parent: Some(Digest::of(parent.signing_input())),
            flow: self.flows[1].clone(),
            ..root
        };
        vec![root_token, child.sign(&middle).unwrap()]
    }

    pub fn credentials(&self) -> Credentials {
        Credentials::new(&self.attestation(), &self.chain()).unwrap()
    }

    /// The request in each form, of one signing.
    pub fn forms(&self, request: &str, audience: &str) -> [Vec<u8>; 2] {
        self.forms_of(request, audience, Lineage::default())
    }

    /// The same, of a caller that has seen something.
    pub fn forms_of(&self, request: &str, audience: &str, lineage: Lineage<'_>) -> [Vec<u8>; 2] {
        let message = json::parse(request.as_bytes()).unwrap();
        let call = attested(&message).unwrap();
        let credentials = self.credentials();
        let particulars = Particulars {
            audience,
            context: Jti([5; 16]),
            id: Jti([6; 16]),
            salt: Salt([7; 16]),
            now: NOW,
            life: 60,
            lineage,
            nonce: None,
        };
        let signed = sign_call(&call, &credentials, particulars, &self.agent).unwrap();
        [Form::Full, Form::Short].map(|form| signed.request(form))
    }

    /// [`REQUEST`] with everything that a verifier needs.
    pub fn signed(&self, audience: &str) -> Vec<u8> {
        let [full, _] = self.forms(REQUEST, audience);
        full
    }
}

/// The verdict, and the checks that passed.
pub fn check(verifier: &Verifier, request: &[u8], now: u64) -> (Result<Accepted, Refusal>, Vec<Check>) {
    let message = json::parse(request).unwrap();
    let call = attested(&message).unwrap();
    let mut trace = Vec::new();
    let verdict = verifier.check(&call, now, |_| false, &mut trace);
    (verdict, trace)
}
