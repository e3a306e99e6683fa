//! `attest trace`: the whole provenance of one call.

use std::collections::BTreeSet;
use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_forensics::Source;
use attest_forensics::trace::{Edge, How, Signature, Trace, Traced};
use attest_log::Place;
use server_verifier::Config;
use termtree::Tree;

use crate::verbs::bundle::{named, one};
use crate::verbs::log::search::open;
use crate::verbs::moment::numbered;
use crate::verbs::verify::bundle;
use crate::{Ending, output};

/// The whole provenance of one call, as a tree: who asked, in which state, under which chain, with which data, on whose behalf, and what came
/// of it, over all logs at hand
///
/// Each line says who states it: a log's owner by an entry, which was proved against that log's checkpoint; an attester, a delegator or a caller
/// by a signature, which is checked where its key is known. Give `--trust` for the keys of attesters and roots.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The call: the hash of its proof, or its first 8 characters or more; or LOG#N, the call of entry N
    #[arg(allow_hyphen_values = true)]
    call: String,
    /// Logs, of verifiers, signers or audits; or one bundle
    #[arg(value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// Whose attesters and roots are believed: a guard.toml
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Ending {
    let mut logs = args.logs.clone();
    let entry = numbered(&args.call);
    if let Some((log, _)) = &entry
        && !logs.contains(log)
    {
        logs.push(log.clone());
    }
    if logs.is_empty() {
        return Err("name the logs to look in, or the call as LOG#N".into());
    }
    let config = args.trust.as_deref().map(Config::read).transpose()?;
    let trust = config.as_ref().map(|config| &config.trust);
    if let ([file], None) = (logs.as_slice(), &entry)
        && let Some(bundle) = bundle::read(file)?
    {
        let sources = bundle.sources();
        let sources: Vec<&dyn Source> = sources.iter().map(|source| &**source).collect();
        let call = one(&args.call, bundle.calls(&args.call))?;
        return shown(&Trace::of(&sources, call, trust)?, args.json);
    }
    let search = open(&logs)?;
    let call = match &entry {
        Some((log, index)) => {
            let evidence = search
                .logs()
                .find(|evidence| evidence.path() == Place::new(log).name())
                .ok_or("the log is not open")?;
            let row = evidence.row(*index)?;
            row.call.ok_or_else(|| format!("entry {index} of {} is of no call: {}", log.display(), row.words))?
        }
        None => named(&search, &args.call)?,
    };
    shown(&Trace::of(&search.sources(), call, trust)?, args.json)
}

fn shown(trace: &Trace, json: bool) -> Ending {
    if json {
        output::json(trace)?;
    } else {
        output::text(tree(trace));
    }
    Ok(0)
}

/// A trace as a tree of lines.
pub(crate) fn tree(trace: &Trace) -> String {
    let mut shown = BTreeSet::new();
    let mut tree = call(trace, &trace.call, true, &mut shown);
    let led = edges(trace, trace.led_to(&trace.call), |edge| edge.to, false, &mut shown);
    if !led.is_empty() {
        tree.push(Tree::new("led to".to_owned()).with_leaves(led));
    }
    if trace.cut {
        tree.push(Tree::new("… and more: a trace holds 256 calls".to_owned()));
    }
    tree.to_string()
}

/// A call, with what it came of; everything about it where `whole`.
fn call(trace: &Trace, of: &Digest, whole: bool, shown: &mut BTreeSet<Digest>) -> Tree<String> {
    let empty = Traced::default();
    let traced = trace.calls.get(of).unwrap_or(&empty);
    let head = match traced.main() {
        Some(said) => format!(
            "{}  {}  ({}#{})",
            output::time(said.row.time),
            output::said(&said.row),
            said.origin.escape_debug(),
            said.row.index
        ),
        None => format!("call {of}: no log at hand has it"),
    };
    let mut tree = Tree::new(head);
    if !shown.insert(*of) {
        return tree;
    }
    if whole {
        tree.push(Tree::new("what the logs say".to_owned()).with_leaves(traced.says.iter().map(|said| {
            format!(
                "{}  {}  ({}#{}, in its tree of {})",
                output::time(said.row.time),
                output::said(&said.row),
                said.origin.escape_debug(),
                said.row.index,
                said.size
            )
        })));
    }
    if let Some(state) = &traced.state {
        let agent = state.agent.escape_debug();
        let mut of =
            Tree::new(format!("state of {agent}, says {} ({})", state.issuer.escape_debug(), by(&state.signature)));
        if whole {
            for (component, digest, grade) in &state.components {
                of.push(Tree::new(format!("{component} {digest}, {grade}")));
            }
        }
        tree.push(of);
    }
    if !traced.chain.is_empty() && whole {
        let mut chain = Tree::new("chain".to_owned());
        let texts: Vec<String> = traced.chain.iter().map(|hop| hop.text.clone()).collect();
        let words = crate::verbs::delegate::words::each(&texts).unwrap_or_default();
        for (n, hop) in traced.chain.iter().enumerate() {
            let said = words.get(n).map(String::as_str).unwrap_or_default();
            let mut lines = said.lines().map(str::trim);
            let head = lines.next().map_or_else(|| hop.issuer.escape_debug().to_string(), str::to_owned);
            chain.push(Tree::new(format!("{head} ({})", by(&hop.signature))).with_leaves(lines.map(str::to_owned)));
        }
        tree.push(chain);
    }
    if let Some(proof) = traced.proof.as_ref().filter(|_| whole) {
        let accord = if proof.own_accord { "of its own accord" } else { "on somebody's behalf" };
        tree.push(Tree::new(format!(
            "call proof for {}, {accord} ({})",
            proof.audience.escape_debug(),
            by(&proof.signature)
        )));
    }
    let came = edges(trace, trace.came_of(of), |edge| edge.from, true, shown);
    if !came.is_empty() {
        tree.push(Tree::new("came of".to_owned()).with_leaves(came));
    }
    tree
}

fn edges<'t>(
    trace: &Trace,
    edges: impl Iterator<Item = &'t Edge>,
    other: impl Fn(&Edge) -> Digest,
    up: bool,
    shown: &mut BTreeSet<Digest>,
) -> Vec<Tree<String>> {
    let mut all = Vec::new();
    for edge in edges {
        let how = match edge.how {
            How::Cause => "on behalf of",
            How::Data => "with data of",
        };
        let to = other(edge);
        let mut tree = if up { call(trace, &to, false, shown) } else { down(trace, &to, shown) };
        tree.root = format!("{}{}", if up { format!("{how} ") } else { String::new() }, tree.root);
        all.push(tree);
    }
    all
}

/// What came of a call, further and further.
fn down(trace: &Trace, of: &Digest, shown: &mut BTreeSet<Digest>) -> Tree<String> {
    let is_new = !shown.contains(of);
    let mut tree = call(trace, of, false, &mut shown.clone());
    tree.leaves.retain(|leaf| leaf.root != "came of");
    shown.insert(*of);
    if is_new {
        for leaf in edges(trace, trace.led_to(of), |edge| edge.to, false, shown) {
            tree.push(leaf);
        }
    }
    tree
}

fn by(signature: &Signature) -> String {
    let short = |key: &str| key.chars().take(8).collect::<String>();
    match signature {
        Signature::Holds(key) => format!("signed by {}", short(key)),
        Signature::Wrong(key) => format!("WRONG: not signed by {}", short(key)),
        Signature::Unknown(key) => format!("signed by {}, a key that nobody here pins: --trust", short(key)),
    }
}
