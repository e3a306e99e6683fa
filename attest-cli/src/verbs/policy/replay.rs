//! `attest policy replay`.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::entry::{Called, Verdict, Written};
use attest_core::json::{self, Value};
use attest_core::refusal::{About, Reason};
use attest_core::seen::What;
use attest_kept::Kept;
use attest_log::Reader;
use attest_policy::{Arguments, Decision, Facts, Need, Policies};
use server_verifier::Config;

use crate::{Ending, output};

/// What these policies would have said of the calls in a log. Exit code 1 where that is not what was decided
///
/// Each decision of a guard with policies names what they were asked about. The log keeps that, but for the arguments: those are taken from
/// what the guard's trail kept beside the log, where nothing in them was redacted. Risk, classes, groups and step-ups are as they were then.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A guard's log
    #[arg(value_name = "LOG", default_value = "guard.db")]
    log: PathBuf,
    /// Files of policies, read as one set
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present = "config")]
    policy: Vec<PathBuf>,
    /// The policies that this guard.toml names, instead
    #[arg(long, value_name = "FILE", conflicts_with = "policy")]
    config: Option<PathBuf>,
    /// Only the last N entries
    #[arg(long, value_name = "N")]
    last: Option<u64>,
    /// Show those too that come out as before
    #[arg(long)]
    all: bool,
    /// For machines: one JSON object per line
    #[arg(long)]
    json: bool,
}

type Failure = Box<dyn std::error::Error>;

/// Calls whose arguments' commitment is remembered until their decision comes.
const AWAITED: usize = 65_536;

pub(crate) fn run(args: &Args) -> Ending {
    let config = args.config.as_deref().map(Config::read).transpose()?;
    // Under the very configuration of then another decision is a fault, and no change.
    let same = config.as_ref().map(|config| config.policy);
    let policies = match config {
        Some(config) => {
            let path = config.path.display().to_string();
            config.judging.ok_or_else(|| format!("{path} has no [policy]"))?.policies
        }
        None => match super::read(&args.policy)? {
            Some(policies) => policies,
            None => return Ok(1),
        },
    };
    let reader = Reader::open(&args.log)?;
    let end = reader.len()?;
    let from = args.last.map_or(0, |last| end.saturating_sub(last));
    let mut asked = Asked { reader: &reader, kept: kept(&args.log)?, seen: HashMap::new(), order: VecDeque::new() };
    let mut tally = Tally::default();
    for entry in reader.entries(from..end) {
        let entry = entry?;
        let Ok(written) = Written::read(&entry.body) else { continue };
        let Some(was) = asked.about(written)? else { continue };
        let came = was.again(&policies)?;
        tally.add(&was, &came, same);
        if args.all || came != Came::Same {
            show(args.json, entry.index, &was, &came)?;
        }
    }
    if !args.json {
        tally.show();
    }
    Ok(u8::from(tally.changed() > 0))
}

/// What is kept beside a log. Looking must not make it.
fn kept(log: &Path) -> Result<Option<Kept>, Failure> {
    let there = log.with_added_extension("kept").exists();
    Ok(if there { Some(Kept::open(log)?) } else { None })
}

/// What the policies were asked about, entry by entry.
struct Asked<'r> {
    reader: &'r Reader,
    kept: Option<Kept>,
    /// Commitments of arguments, by call.
    seen: HashMap<Digest, Digest>,
    order: VecDeque<Digest>,
}

/// A decision that policies had a part in.
struct Was {
    time: u64,
    called: String,
    policy: Digest,
    facts: Facts<'static>,
    /// `None` where they are not to be had.
    arguments: Option<Value<'static>>,
    verdict: Said,
}

/// A verdict as an entry has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    reason: Option<Reason>,
    about: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Came {
    Same,
    /// Another check refused it, or people did: no policy changes that.
    NotTheirs,
    /// The policies read arguments, and there are none.
    Unknown,
    Changed(Said),
}

impl Asked<'_> {
    fn about(&mut self, written: Written<'_>) -> Result<Option<Was>, Failure> {
        let (facts, call, called, policy, time, verdict) = match written {
            Written::Decision { facts: Some(facts), call, called, policy, time, verdict, .. } => {
                (facts, call, called, policy, time, verdict)
            }
            Written::Seen { event, .. } => {
                if let What::Call(seen) = event.what {
                    self.remember(seen.call, seen.arguments);
                }
                return Ok(None);
            }
            _ => return Ok(None),
        };
        let missing =
            || format!("the log names the facts {facts} and does not have them; `attest log verify` says more");
        let text = self.reader.token(&facts.0)?.ok_or_else(missing)?;
        let verdict = match verdict {
            Verdict::Allow { .. } => Said { reason: None, about: String::new() },
            Verdict::Deny { about, reason } => {
                Said { reason: Some(reason), about: about.map(|about| about.into_owned()).unwrap_or_default() }
            }
        };
        let (Called::Tool(called) | Called::Method(called)) = called;
        let facts = Facts::read(text.as_bytes()).map_err(|error| format!("facts {facts}: {error}"))?;
        Ok(Some(Was {
            time,
            called: called.into_owned(),
            policy,
            arguments: self.arguments(call, &facts)?,
            facts,
            verdict,
        }))
    }

    fn remember(&mut self, call: Digest, arguments: Digest) {
        if self.seen.insert(call, arguments).is_none() {
            self.order.push_back(call);
        }
        if self.order.len() > AWAITED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
    }

    /// The arguments, if what was kept of them is what the log commits to: then nothing was redacted.
    fn arguments(&self, call: Digest, facts: &Facts<'_>) -> Result<Option<Value<'static>>, Failure> {
        let (Some(kept), Some(commitment)) = (&self.kept, self.seen.get(&call)) else { return Ok(None) };
        let Some(row) = kept.get(commitment)? else { return Ok(None) };
        let whole = row.salts.iter().find(|salted| salted.commitment == *commitment);
        if whole.is_none_or(|whole| Digest::salted(&whole.salt, row.text.as_bytes()) != *commitment) {
            return Ok(None);
        }
        let value = json::parse(row.text.as_bytes())?.into_owned();
        // Of another method everything that it says is kept.
        Ok(match facts.asked {
            attest_policy::Asked::Tool(_) => Some(value),
            attest_policy::Asked::Method(_) => value.as_object().and_then(|all| all.get("arguments")).cloned(),
        })
    }
}

impl Was {
    /// What the policies come to now.
    fn again(&self, policies: &Policies) -> Result<Came, Failure> {
        const THEIRS: [Option<Reason>; 4] =
            [None, Some(Reason::PolicyDenied), Some(Reason::PolicyError), Some(Reason::StepUpRequired)];
        if !THEIRS.contains(&self.verdict.reason) {
            return Ok(Came::NotTheirs);
        }
        let arguments = self.arguments.as_ref().map_or(Arguments::NotKept, Arguments::Given);
        let decision = policies.decide(&Facts { arguments, ..self.facts.clone() });
        if let Decision::Error(attest_policy::Fault::ArgumentsNotKept) = decision {
            return Ok(Came::Unknown);
        }
        let about = About::Policies(decision.by().to_vec()).to_string();
        let said = Said { reason: decision.reason(), about };
        if said == self.verdict {
            return Ok(Came::Same);
        }
        // People were asked, and said no.
        let people = |need: &Need| matches!(need, Need::Approval { .. });
        let refused = matches!(&decision, Decision::StepUp { needs, .. } if needs.iter().all(people))
            && self.verdict == Said { reason: Some(Reason::PolicyDenied), ..said.clone() };
        Ok(if refused { Came::NotTheirs } else { Came::Changed(said) })
    }
}

impl Said {
    fn words(&self) -> String {
        match self.reason {
            None => "allow".to_owned(),
            Some(reason) if self.about.is_empty() => reason.code().to_owned(),
            Some(reason) => format!("{} by {}", reason.code(), self.about.escape_debug()),
        }
    }
}

fn show(json: bool, index: u64, was: &Was, came: &Came) -> Result<(), Failure> {
    let now = match came {
        Came::Same => was.verdict.words(),
        Came::NotTheirs => "not for the policies to say".to_owned(),
        Came::Unknown => "unknown: its arguments were not kept".to_owned(),
        Came::Changed(said) => said.words(),
    };
    if json {
        let word = match came {
            Came::Same => "same",
            Came::NotTheirs => "not-theirs",
            Came::Unknown => "unknown",
            Came::Changed(_) => "changed",
        };
        let of = |said: &Said| serde_json::json!({ "reason": said.reason.map(Reason::code), "about": said.about });
        let now = if let Came::Changed(said) = came { of(said) } else { serde_json::Value::Null };
        return output::json(&serde_json::json!({
            "index": index, "time": was.time, "agent": was.facts.agent, "called": was.called, "came": word,
            "was": of(&was.verdict), "now": now,
        }));
    }
    let when = i64::try_from(was.time).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    let when = when.map_or_else(|| was.time.to_string(), |when| format!("{when:.3}"));
    let (agent, called) = (was.facts.agent.escape_debug(), was.called.escape_debug());
    output::line(format!("{index:>8}  {when}  {agent}  {called}: {} -> {now}", was.verdict.words()));
    Ok(())
}

/// How many came out how.
#[derive(Default)]
struct Tally {
    same: u64,
    not_theirs: u64,
    unknown: u64,
    /// By what they were and what they are.
    changed: BTreeMap<(&'static str, &'static str), u64>,
    /// Of those, how many were judged under the very configuration that is asked now.
    faults: u64,
}

impl Tally {
    fn add(&mut self, was: &Was, came: &Came, same: Option<Digest>) {
        let word = |said: &Said| said.reason.map_or("allow", Reason::code);
        match came {
            Came::Same => self.same += 1,
            Came::NotTheirs => self.not_theirs += 1,
            Came::Unknown => self.unknown += 1,
            Came::Changed(said) => {
                *self.changed.entry((word(&was.verdict), word(said))).or_default() += 1;
                self.faults += u64::from(same == Some(was.policy));
            }
        }
    }

    fn changed(&self) -> u64 {
        self.changed.values().sum()
    }

    fn show(&self) {
        let Self { same, not_theirs, unknown, changed, faults } = self;
        output::line(format!("{same} as before, {} otherwise", self.changed()));
        for ((was, now), count) in changed {
            output::line(format!("{count:>8}  {was} -> {now}"));
        }
        if *unknown > 0 {
            output::line(format!("{unknown} unknown: these policies read arguments, and theirs were not kept"));
        }
        if *not_theirs > 0 {
            output::line(format!("{not_theirs} refused by other checks, or by people"));
        }
        if *faults > 0 {
            output::line(format!(
                "{faults} of them were judged under this very configuration: the log, or what it keeps, is not what the guard wrote"
            ));
        }
    }
}
