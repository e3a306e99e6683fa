//! `attest verify`: every check of a token, a chain or a whole request, one line each.

pub(crate) mod bundle;

use std::path::PathBuf;
use std::sync::Arc;

use attest_core::attestation::Attestation;
use attest_core::checkpoint::LogKeys;
use attest_core::json;
use attest_core::jws::{Unverified, Verified};
use attest_core::measurement::{Component, Grade};
use attest_core::refusal::{About, Check, Reason, Refusal, Token};
use attest_core::request::{Message, classify};
use attest_core::verifier::{Evidence, Verifier};
use serde::Serialize;
use server_verifier::Config;

use crate::{Ending, output};

/// Checks a token, a chain, a whole request or a bundle as a verifier would, and says how far it came.
///
/// The log is not asked, so a replay is not noticed here. Exits with 0 if every check passed, with 2 if one failed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A token, a chain (one token per line, root first), a request with a proof, or a bundle (`attest bundle`); - for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
    /// Whom to trust
    #[arg(long, value_name = "FILE", default_value = "guard.toml", env = "ATTEST_GUARD_CONFIG")]
    config: PathBuf,
    /// Of a bundle: the key of a log in it, as `attest log key` prints it; may be repeated
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// Of a bundle: be content with the keys that its logs name themselves
    #[arg(long)]
    unpinned: bool,
    /// Check as of this time (RFC 3339) instead of now
    #[arg(long, value_name = "TIME")]
    at: Option<jiff::Timestamp>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    verdict: &'static str,
    passed: Vec<&'static str>,
    /// What an accepted attestation shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    components: Vec<Shown>,
    /// What a TPM's quote in it is worth here.
    #[serde(skip_serializing_if = "Option::is_none")]
    platform: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<Failed>,
}

/// A component as it is accepted: the signer's word on its grade, and ours on whether a publisher vouches for its digest.
#[derive(Serialize)]
struct Shown {
    component: &'static str,
    grade: &'static str,
    endorsed: bool,
}

#[derive(Serialize)]
struct Failed {
    check: &'static str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<String>,
    advice: &'static str,
}

pub(crate) fn run(args: Args) -> Ending {
    if let Some(bundle) = bundle::read(&args.file)? {
        let config = if args.config.exists() { Some(Config::read(&args.config)?) } else { None };
        let keys = args.keys.iter().map(|key| LogKeys::parse(&[key])).collect::<Result<Vec<_>, _>>();
        let keys = keys.map_err(|error| format!("--key: {error}"))?;
        return bundle::check(&bundle, &keys, config.as_ref(), (args.unpinned, args.json));
    }
    let text = output::input(&args.file)?;
    let config = Config::read(&args.config)?;
    let statuses = server_verifier::status::on_disk(&config);
    let verifier = Verifier::new(config.trust);
    verifier.hold(statuses.into());
    let now = match args.at {
        Some(at) => u64::try_from(at.as_second())?,
        None => attest_log::clock::now(),
    };
    let mut passed: Vec<Check> = Vec::new();
    let text = text.trim();
    let verdict = if text.starts_with(['{', '[']) {
        request(&verifier, text, now, &mut passed)
    } else {
        tokens(&verifier, text, now, &mut passed)
    };
    let report = Report {
        verdict: if verdict.is_ok() { "pass" } else { "fail" },
        passed: passed.iter().copied().map(name).collect(),
        components: verdict.as_ref().map_or_else(|_| Vec::new(), |seen| shown(seen, &verifier)),
        platform: verdict.as_ref().ok().and_then(|seen| platform(seen, &verifier)),
        failed: verdict.err().map(|refusal| Failed {
            check: name(refusal.reason.check()),
            reason: refusal.reason.code(),
            about: refusal.about.as_ref().map(about),
            advice: refusal.reason.advice(),
        }),
    };
    if args.json {
        output::json(&report)?;
    } else {
        show(&report);
    }
    Ok(if report.failed.is_some() { 2 } else { 0 })
}

fn show(report: &Report) {
    for check in &report.passed {
        output::line(format!("pass  {check:<12} {}", explained(check)));
    }
    match &report.failed {
        None => {
            for Shown { component, grade, endorsed } in &report.components {
                output::line(format!("      {component:<14} {grade}{}", if *endorsed { ", endorsed" } else { "" }));
            }
            if let Some(platform) = report.platform {
                output::line(format!("      {:<14} {platform}", "platform"));
            }
            output::line("every check passed");
        }
        Some(Failed { check, reason, about, advice }) => {
            let about = about.as_ref().map(|a| format!(" ({a})")).unwrap_or_default();
            output::line(format!("FAIL  {check:<12} {reason}{about}"));
            output::line(format!("      {advice}"));
            output::line("      later checks were not made");
        }
    }
}

/// The grade that only a verifier gives, or that nobody asked for it.
fn platform(seen: &Seen, verifier: &Verifier) -> Option<&'static str> {
    let attestation = seen.attestation()?;
    match verifier.trust().requires_hardware(&attestation.agent) {
        true => Some("hardware"),
        false => attestation.platform.as_ref().map(|_| "not asked for, so not checked"),
    }
}

fn shown(seen: &Seen, verifier: &Verifier) -> Vec<Shown> {
    let Some(attestation) = seen.attestation() else { return Vec::new() };
    let grades = verifier.trust().grades(attestation).into_iter();
    let shown = |(component, grade, endorsed): (Component, Grade, bool)| Shown {
        component: component.as_str(),
        grade: grade.as_str(),
        endorsed,
    };
    grades.map(shown).collect()
}

/// What passed.
enum Seen {
    Call(Arc<Evidence>),
    Attestation(Box<Verified<Attestation>>),
    Chain,
}

impl Seen {
    fn attestation(&self) -> Option<&Attestation> {
        match self {
            Self::Call(evidence) => Some(evidence.attestation()),
            Self::Attestation(attestation) => Some(attestation),
            Self::Chain => None,
        }
    }
}

fn request(verifier: &Verifier, text: &str, now: u64, passed: &mut Vec<Check>) -> Result<Seen, Refusal> {
    let message = json::parse(text.as_bytes())?;
    match classify(&message)? {
        Message::Call(call) => {
            verifier.check(&call, now, |_| false, passed).map(|accepted| Seen::Call(accepted.evidence))
        }
        Message::Other => Err(Reason::BadRequest.into()),
    }
}

fn tokens(verifier: &Verifier, text: &str, now: u64, passed: &mut Vec<Check>) -> Result<Seen, Refusal> {
    let all: Vec<&str> = text.split_whitespace().collect();
    // An attestation is known by its header, which the reading of it checks in full.
    if let [token] = all.as_slice()
        && Unverified::<Attestation>::read(token).is_ok()
    {
        let attestation = verifier.check_attestation(token, now, passed)?;
        return Ok(Seen::Attestation(Box::new(attestation)));
    }
    verifier.check_chain(&all, now, passed).map(|_| Seen::Chain)
}

fn name(check: Check) -> &'static str {
    match check {
        Check::Size => "size",
        Check::Read => "read",
        Check::Times => "times",
        Check::Attestation => "attestation",
        Check::CallProof => "call-proof",
        Check::Bindings => "bindings",
        Check::Replay => "replay",
        Check::State => "state",
        Check::Chain => "chain",
        Check::Status => "status",
        Check::Constraints => "constraints",
        Check::Flow => "flow",
        Check::Policy => "policy",
        Check::Append => "append",
        Check::Forward => "forward",
        Check::Sign => "sign",
        Check::Receipt => "receipt",
        Check::Trail => "trail",
    }
}

/// What a check is about, for a person.
fn explained(name: &str) -> &'static str {
    match name {
        "size" => "of message and tokens",
        "read" => "strict JSON, canonical tokens, known claims",
        "times" => "of every token",
        "attestation" => "by a pinned attester, for this agent",
        "call-proof" => "signed by the attested key",
        "bindings" => "this audience, these tokens, this tool, parameters and metadata",
        "replay" => "not asked of the log here",
        "state" => {
            "every component has an accepted reference value, and the machine vouches for it where that is required"
        }
        "chain" => "pinned root, signatures, links, each token narrower, holder",
        "status" => "no fresh list takes any of them back",
        "constraints" => "the leaf grants this tool with these arguments",
        "flow" => "on whose behalf, and whether what the caller has seen may reach this tool",
        _ => "",
    }
}

fn about(about: &About) -> String {
    match about {
        About::Component(component) => component.to_string(),
        About::Token(Token::Attestation) => "attestation".to_owned(),
        About::Token(Token::Delegation(n)) => format!("token {} of the chain", n + 1),
        About::Token(Token::CallProof) => "call proof".to_owned(),
        About::Token(Token::Receipt(n)) => format!("receipt {}", n + 1),
        About::Token(Token::Cause) => "the cause".to_owned(),
        About::Policies(ids) => ids.join(" "),
        About::Token(Token::Declassification(n)) => format!("declassification {}", n + 1),
        About::Token(Token::Approval(n)) => format!("approval {}", n + 1),
        About::Labels(labels) => labels.iter().collect::<Vec<_>>().join(" "),
        About::Json(error) => error.to_string(),
        About::Undeclared => "the client does not declare the extension".to_owned(),
        _ => String::new(),
    }
}
