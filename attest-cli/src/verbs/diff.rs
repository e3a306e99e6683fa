//! `attest diff`: what two states of an agent differ in.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use attest_core::attestation::Attestation;
use attest_core::digest::Digest;
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::measurement::Component;
use attest_kept::Kept;
use attest_measure::Document;
use attest_measure::diff::{self, Report, SettingChange, TextChange};
use serde::Serialize;

use crate::verbs::moment::Moment;
use crate::{Ending, output};

/// Compares two states of an agent, component by component. Exits with 0 where nothing differs, with 1 where something does, with 2 on errors.
///
/// A state is a manifest (`attest measure --manifest-out FILE`), an attestation (`attest issue`), which says that a component differs, not in
/// what, or a moment of a log: LOG#N, the call of entry N, or LOG@TIME (RFC 3339), the last call until then, each by the attestation that the log
/// keeps of it. Signatures are not verified: `attest verify` does that. Of two moments of logs whose trail kept the system prompt, the texts are
/// compared too.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The first state: a manifest, an attestation, LOG#N or LOG@TIME
    a: PathBuf,
    /// The second
    b: PathBuf,
    /// Whose calls, of a log in which several agents call
    #[arg(long, value_name = "NAME")]
    agent: Option<String>,
    /// The system prompts of both, to be compared line by line; each must be the one that was measured
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    prompt: Option<Vec<PathBuf>>,
    /// The settings' files of both, TOML or JSON, to be compared member by member; no value is shown
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    settings: Option<Vec<PathBuf>>,
    /// For machines: JSON
    #[arg(long)]
    json: bool,
}

/// Longest manifest or token: some hundred thousand tensors.
const LONGEST: u64 = 64 << 20;

/// The whole comparison.
#[derive(Serialize)]
pub(crate) struct Compared {
    #[serde(flatten)]
    pub(crate) report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt: Option<TextChange>,
    /// Whether the texts are the ones that were measured; not so where redaction took something out of what was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prompt_measured: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) settings: Option<Settings>,
    pub(crate) differs: bool,
}

/// What the settings differ in.
#[derive(Serialize)]
pub(crate) struct Settings {
    pub(crate) changes: Vec<SettingChange>,
    /// Whether each file alone is what was measured. It is not where variables of the environment were measured with it.
    pub(crate) measured: [bool; 2],
}

pub(crate) fn run(args: Args) -> Ending {
    match compare(&args).and_then(|compared| show(&args, &compared)) {
        Ok(differs) => Ok(u8::from(differs)),
        Err(error) => {
            // As with diff(1): 1 says that something differs, so an error is another number.
            output::failure(&*error);
            Ok(2)
        }
    }
}

fn show(args: &Args, compared: &Compared) -> Result<bool, Box<dyn std::error::Error>> {
    if args.json {
        output::json(compared)?;
    } else {
        output::compared(compared);
    }
    Ok(compared.differs)
}

fn compare(args: &Args) -> Result<Compared, Box<dyn std::error::Error>> {
    let agent = args.agent.as_deref();
    let (a, b) = (state(&args.a, agent)?, state(&args.b, agent)?);
    let report = diff::documents(&a, &b);
    let sides = [(&a, &args.a), (&b, &args.b)];
    let prompt = match args.prompt.as_deref() {
        Some([in_a, in_b]) => {
            let [one, two] = [(in_a, sides[0]), (in_b, sides[1])].map(|(file, side)| prompt(file, side));
            Some((diff::text(&one?, &two?), true))
        }
        _ => kept(sides)?,
    };
    let settings = match args.settings.as_deref() {
        Some([in_a, in_b]) => Some(settings([(in_a, &a), (in_b, &b)])?),
        _ => None,
    };
    let differs = report.differs() || settings.as_ref().is_some_and(|settings| !settings.changes.is_empty());
    let (prompt, prompt_measured) = prompt.unzip();
    Ok(Compared { report, prompt, prompt_measured, settings, differs })
}

/// A manifest, or the claims of an attestation.
fn state(path: &Path, agent: Option<&str>) -> Result<Document, Box<dyn std::error::Error>> {
    if let Some(moment) = Moment::parse(path) {
        let text = moment.attestation(agent)?;
        let token = Unverified::<Attestation>::read(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(Document::from(token.peek()));
    }
    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(LONGEST + 1).read_to_end(&mut text));
    read.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if text.len() as u64 > LONGEST {
        return Err(format!("{} is larger than {LONGEST} bytes", path.display()).into());
    }
    let text = text.trim_ascii();
    if text.first() == Some(&b'{') {
        return Ok(Document::parse(text).map_err(|error| format!("{}: {error}", path.display()))?);
    }
    let token = str::from_utf8(text).ok().map(Unverified::<Attestation>::read);
    match token {
        Some(Ok(token)) => Ok(Document::from(token.peek())),
        Some(Err(error)) => Err(format!("{} is neither a manifest nor an attestation: {error}", path.display()).into()),
        None => Err(format!("{} is neither a manifest nor an attestation", path.display()).into()),
    }
}

/// The text of a prompt, if it is the one that was measured: a comparison of other texts would explain nothing.
fn prompt(file: &Path, (state, of): (&Document, &PathBuf)) -> Result<String, Box<dyn std::error::Error>> {
    let prompt = attest_measure::prompt(file)?.value;
    match state.measurement(Component::SystemPrompt) {
        None => Err(format!("{} says nothing of a system prompt; leave --prompt out", of.display()).into()),
        Some(measured) if measured.digest == prompt.digest => Ok(prompt.text),
        Some(_) => {
            Err(format!("{} is not the system prompt that {} was measured with", file.display(), of.display()).into())
        }
    }
}

/// The system prompts that trails kept beside these logs, compared, and whether both are what was measured; `None` where one is not kept.
fn kept(sides: [(&Document, &PathBuf); 2]) -> Result<Option<(TextChange, bool)>, Box<dyn std::error::Error>> {
    let text = |(state, of): (&Document, &PathBuf)| {
        let Some(log) = Moment::parse(of).map(Moment::into_log) else { return Ok(None) };
        let measured = state.measurement(Component::SystemPrompt);
        let Some(measured) = measured.filter(|_| log.with_added_extension("kept").exists()) else { return Ok(None) };
        let row = Kept::open(&log)?.get(&measured.digest)?;
        Ok::<_, Box<dyn std::error::Error>>(row.map(|row| (Digest::of(&row.text) == measured.digest, row)))
    };
    let (Some((one_is, one)), Some((two_is, two))) = (text(sides[0])?, text(sides[1])?) else { return Ok(None) };
    // Anybody who can write the file can put another text there: it counts as what redaction left only where that took something out.
    for (is, row) in [(one_is, &one), (two_is, &two)] {
        if !is && row.salts.is_empty() {
            return Err("a system prompt that is kept beside the log is not the one that was measured".into());
        }
    }
    Ok(Some((diff::text(&one.text, &two.text), one_is && two_is)))
}

fn settings([a, b]: [(&PathBuf, &Document); 2]) -> Result<Settings, Box<dyn std::error::Error>> {
    let read = |(file, state): (&PathBuf, &Document)| {
        let config = attest_measure::config(file, &[])?.value;
        let digest = state.measurement(Component::Config).map(|measured| measured.digest);
        Ok::<_, Box<dyn std::error::Error>>((digest == Some(Digest::of(config.canonical())), config))
    };
    let ((in_a, a), (in_b, b)) = (read(a)?, read(b)?);
    let changes = diff::settings(&json::parse(a.canonical())?, &json::parse(b.canonical())?);
    Ok(Settings { changes, measured: [in_a, in_b] })
}
