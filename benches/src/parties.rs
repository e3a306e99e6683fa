//! An agent and a server that trusts it, by way of attest-core alone: no log, no process.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use attest_core::attestation::Attestation;
use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json;
use attest_core::jwk::PublicKey;
use attest_core::jws::Unverified;
use attest_core::measurement::{Component, Grade, Measurement};
use attest_core::request::{Call, Message, classify};
use attest_core::sign::{MemoryKey, Sign};
use attest_core::signing::{Credentials, Form, Particulars, sign_call};
use attest_core::tools::{Tools, qualified};
use attest_core::trust::{Attester, Reference, Root, Scope, Trust};
use attest_core::verifier::{Accepted, Verifier};

use server_verifier::Config;

use crate::calls::TOOL;
use crate::{Outcome, clock};

/// The server's name.
pub const AUDIENCE: &str = "issues";
const AGENT: &str = "triage";
const LIFE: u64 = 60;
/// How far the root lets its grant be passed on.
const DEEPEST: u64 = 8;

/// One agent with its keys, what attests it and what was delegated to it.
pub struct Parties {
    agent: MemoryKey,
    attester: PublicKey,
    root: PublicKey,
    credentials: Credentials,
    chain: Vec<String>,
    trust: Trust,
}

impl Parties {
    /// With a chain of `hops` delegation tokens, each by a key of its own.
    pub fn new(hops: usize) -> Outcome<Self> {
        let now = clock::now()?;
        let attester = MemoryKey::from_seed(&[1; 32]);
        let holders = holders(hops)?;
        let (root, agent) = (holders.first(), holders.last());
        let (root, agent) = root.zip(agent).ok_or("a chain has a root and a holder")?;
        let agent = MemoryKey::from_seed(agent);
        let root = MemoryKey::from_seed(root).public().clone();
        let measurements = measured();
        let references = measurements.iter().map(|m| {
            let reference =
                Reference { digests: Some(vec![m.digest.into()]), grade: m.grade, endorsed: false, rule: None };
            (m.component, reference)
        });
        let trust = Trust::new(
            AUDIENCE.to_owned(),
            vec![Attester {
                key: attester.public().clone(),
                issuer: "acme".to_owned(),
                agents: vec![AGENT.to_owned()],
            }],
            vec![Root {
                key: root.clone(),
                issuer: "owner".to_owned(),
                tools: vec![Scope::parse(&format!("{AUDIENCE}#*")).ok_or("no scope")?],
                labels: attest_core::labels::Labels::None,
            }],
            HashMap::from([(AGENT.to_owned(), references.collect())]),
        )?;
        let attestation = Attestation {
            issuer: "acme".to_owned(),
            agent: AGENT.to_owned(),
            issued_at: now,
            expires: now + 3_600,
            id: Jti(bits()?),
            key: agent.public().clone(),
            measurements: measurements.to_vec(),
            platform: None,
            nonce: None,
            status: None,
        }
        .sign(&attester)?;
        let chain = chain(&holders, now)?;
        Ok(Self {
            credentials: Credentials::new(&attestation, &chain).ok_or("an empty chain")?,
            agent,
            attester: attester.public().clone(),
            root,
            chain,
            trust,
        })
    }

    /// The chain's tokens, root first.
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// The configuration of a guard that trusts as [`Self::verifier`] does, its log in `folder`.
    pub fn guard(&self, folder: &Path, policies: Option<&str>) -> Outcome<Config> {
        let jwk = |key: &PublicKey| format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{}\" }}", key.x());
        let mut text = format!(
            "audience = \"{AUDIENCE}\"\nlog = \"guard.db\"\n\
             [[attester]]\nissuer = \"acme\"\nagents = [\"{AGENT}\"]\njwk = {}\n\
             [[root]]\nissuer = \"owner\"\ntools = [\"{AUDIENCE}#*\"]\njwk = {}\n\
             [agents.{AGENT}]\n",
            jwk(&self.attester),
            jwk(&self.root),
        );
        for measurement in measured() {
            let Measurement { component, digest, grade } = measurement;
            text += &format!("{component} = {{ digests = [\"{digest}\"], grade = \"{grade}\" }}\n");
        }
        if let Some(policies) = policies {
            std::fs::write(folder.join("bench.cedar"), policies)?;
            text += "[policy]\nfiles = [\"bench.cedar\"]\n";
        }
        let path = folder.join("guard.toml");
        std::fs::write(&path, text)?;
        Ok(Config::read(&path)?)
    }

    /// A verifier that has seen nothing yet.
    pub fn verifier(&self) -> Verifier {
        Verifier::new(self.trust.clone())
    }

    /// From a client's line to the line with its proof: read, draw random bits, look at the clock, sign, write.
    pub fn sign(&self, line: &[u8]) -> Outcome<Vec<u8>> {
        sign(line, &self.credentials, AUDIENCE, &self.agent, Form::Full)
    }
}

fn measured() -> [Measurement; 3] {
    [Component::Config, Component::ModelRef, Component::SystemPrompt].map(|component| Measurement {
        component,
        digest: Digest::of(component.as_str()),
        grade: Grade::OnDisk,
    })
}

/// Signs one line with whatever holds the key.
pub fn sign<S: Sign>(line: &[u8], credentials: &Credentials, audience: &str, key: &S, form: Form) -> Outcome<Vec<u8>>
where
    S::Error: std::error::Error + 'static,
{
    let message = json::parse(line)?;
    let particulars = Particulars {
        audience,
        context: Jti([5; 16]),
        id: Jti(bits()?),
        salt: Salt(bits()?),
        now: clock::now()?,
        life: LIFE,
        lineage: Default::default(),
        nonce: None,
    };
    Ok(sign_call(&call(&message)?, credentials, particulars, key)?.request(form))
}

/// From a signed line to the verdict with the line to forward: read, look at the clock, check. No log, nothing replayed.
pub fn verify(verifier: &Verifier, line: &[u8]) -> Outcome<Accepted> {
    let message = json::parse(line)?;
    let verdict = verifier.check(&call(&message)?, clock::now()?, |_| false, &mut ());
    verdict.map_err(|refusal| format!("refused: {}", refusal.reason.code()).into())
}

fn call<'m, 'v>(message: &'m json::Value<'v>) -> Outcome<Call<'m, 'v>> {
    match classify(message)? {
        Message::Call(call) => Ok(call),
        Message::Other => Err("not a tools/call".into()),
    }
}

/// Seeds of the root and of everybody down to the agent.
fn holders(hops: usize) -> Outcome<Vec<[u8; 32]>> {
    (0..=hops).map(|n| Ok([u8::try_from(n)? + 10; 32])).collect()
}

fn chain(holders: &[[u8; 32]], now: u64) -> Outcome<Vec<String>> {
    let (mut tokens, mut parent) = (Vec::new(), None);
    for (depth, pair) in (0..).zip(holders.windows(2)) {
        let [by, to] = pair else { continue };
        let by = MemoryKey::from_seed(by);
        let token = Delegation {
            issuer: match depth {
                0 => "owner".to_owned(),
                _ => thumbprint_uri(by.public().thumbprint()),
            },
            id: format!("d{depth}"),
            issued_at: now,
            expires: now + 86_400,
            key: MemoryKey::from_seed(to).public().clone(),
            depth,
            max_depth: DEEPEST,
            parent,
            // The tool with any arguments, as `attest init` grants it.
            tools: Tools(BTreeMap::from([(qualified(AUDIENCE, TOOL), BTreeMap::new())])),
            flow: None,
            pins: None,
            by: None,
            status: None,
        }
        .sign(&by)?;
        parent = Some(Digest::of(Unverified::<Delegation>::read(&token)?.signing_input()));
        tokens.push(token);
    }
    Ok(tokens)
}

fn bits() -> Outcome<[u8; 16]> {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits)?;
    Ok(bits)
}
