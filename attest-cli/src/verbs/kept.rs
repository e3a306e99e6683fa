//! `attest kept`: what messages said, beside the log.

use std::path::PathBuf;

use attest_core::digest::Digest;
use attest_core::entry::Written;
use attest_core::seen::What;
use attest_kept::{Checked, Erase, Kept};
use attest_log::Reader;

use crate::{Ending, output};

/// Shows, checks and erases what a trail keeps beside its log: arguments, results and tools, secrets taken out.
///
/// The log has a commitment to each text, which says nothing without the salt that is kept here: what is erased here is gone,
/// and the log is as whole as before.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Prints what is kept of an entry
    Show(Which),
    /// Says whether this is what stood there; exits with 1 if it is not, and with 3 if nobody can tell any more
    Check(Check),
    /// Erases for good
    Erase(Erasing),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// The log
    log: PathBuf,
    /// Index of the entry
    entry: u64,
}

#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    which: Which,
    /// A file with the claimed value, or - for standard input; one newline at its end is left out
    file: PathBuf,
    /// The commitment of a placeholder in the kept text; else that of the whole: canonical JSON
    #[arg(long, value_name = "COMMITMENT", value_parser = digest, allow_hyphen_values = true)]
    commitment: Option<Digest>,
}

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true).args(["entry", "session", "days"]))]
struct Erasing {
    /// The log
    log: PathBuf,
    /// What is kept of this entry
    #[arg(long, value_name = "INDEX")]
    entry: Option<u64>,
    /// What is kept of this session
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// What is older than so many days
    #[arg(long, value_name = "DAYS")]
    days: Option<u64>,
}

fn digest(text: &str) -> Result<Digest, String> {
    Digest::from_b64(text).ok_or_else(|| "43 characters of base64url".to_owned())
}

pub(crate) fn run(args: Args) -> Ending {
    match args.action {
        Action::Show(which) => match open(&which.log)?.get(&commitment(&which)?)? {
            Some(row) => {
                output::line(visible(&row.text));
                Ok(0)
            }
            None => Err(format!("nothing is kept of entry {}: it was erased, or never kept", which.entry).into()),
        },
        Action::Check(check) => checked(&check),
        Action::Erase(erasing) => erase(&erasing),
    }
}

/// The store beside a log that is there; looking must not make one.
fn open(log: &std::path::Path) -> Result<Kept, Box<dyn std::error::Error>> {
    let store = log.with_added_extension("kept");
    if !store.exists() {
        return Err(format!("{} is not there: nothing is kept beside this log", store.display()).into());
    }
    Ok(Kept::open(log)?)
}

/// The commitment in the entry, by which what is kept is found.
fn commitment(which: &Which) -> Result<Digest, Box<dyn std::error::Error>> {
    let Which { log, entry } = which;
    let body = Reader::open(log)?.entry(*entry)?;
    let body = body.ok_or_else(|| format!("{} has no entry {entry}", log.display()))?;
    let committed = match Written::read(&body)? {
        Written::Seen { event, .. } => match event.what {
            What::Call(call) => Some(call.arguments),
            What::Read(read) => Some(read.name),
            What::Answer(answer) => answer.result,
            What::Tool(tool) => Some(tool.description),
            What::Server(server) => server.how,
            _ => None,
        },
        _ => None,
    };
    committed.ok_or_else(|| format!("entry {entry} commits to no text; `attest log show` tells what it is").into())
}

/// The text with everything that a terminal obeys, or nobody sees, as JSON writes it: it came from a server.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || (c.is_ascii() && !c.is_control()) {
            out.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

fn checked(check: &Check) -> Ending {
    let entry = commitment(&check.which)?;
    let claimed = output::input(&check.file)?;
    let claimed = claimed.strip_suffix('\n').unwrap_or(&claimed);
    let checked = open(&check.which.log)?.check(&entry, &check.commitment.unwrap_or(entry), claimed)?;
    let (said, code) = match checked {
        Checked::Holds => ("this is what stood there", 0),
        Checked::Differs => ("this is not what stood there", 1),
        Checked::Forgotten => ("nobody can tell: its salt was erased, or never kept", 3),
    };
    output::line(said);
    Ok(code)
}

fn erase(erasing: &Erasing) -> Ending {
    let Erasing { log, entry, session, days } = erasing;
    let which = match (entry, session, days) {
        (Some(entry), _, _) => Erase::Entry(commitment(&Which { log: log.clone(), entry: *entry })?),
        (_, Some(session), _) => Erase::Session(session.clone()),
        (_, _, days) => {
            let age = days.unwrap_or_default().saturating_mul(86_400_000);
            Erase::Before(attest_log::clock::now_ms().saturating_sub(age))
        }
    };
    // An index has words of what was kept.
    attest_forensics::Index::erase(log).map_err(|error| format!("the index of {}: {error}", log.display()))?;
    let erased = open(log)?.erase(&which)?;
    output::line(format!("{erased} erased"));
    Ok(0)
}
