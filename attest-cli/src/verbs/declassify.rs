//! `attest declassify`: a label's owner lets data out once, to one call.

use std::path::PathBuf;

use attest_core::b64;
use attest_core::declassification::Declassification;
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json::{self, Value};
use attest_core::labels::Labels;
use attest_core::limits::MAX_DECLASSIFICATION_LIFE;
use attest_core::once::Once;
use attest_core::tools::split;
use attest_keys::{KeySource, read_public};

use super::delegate::write_new;
use crate::{Ending, output};

/// Lets data with the given labels reach one call: this tool, these very parameters, this agent, once, and soon.
///
/// Leave the file in the folder that `flow.declassified` in the agent's agent.toml names: the signer shows it with the call that it
/// is made out to.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Key of the labels' owner, which the server's guard.toml lists as a declassifier
    #[arg(long, value_name = "KEY")]
    key: String,
    /// The call key (public, file) of the agent that may call
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The tool: `<server audience>#<tool>`
    #[arg(long, value_name = "AUDIENCE#TOOL")]
    tool: String,
    /// The call's arguments: a JSON file with one object
    #[arg(long, value_name = "FILE")]
    arguments: PathBuf,
    /// The labels that do not count for this call
    #[arg(long, value_name = "LABELS", value_delimiter = ',', required = true)]
    labels: Vec<String>,
    /// For how long: at most ten minutes
    #[arg(long, value_name = "TIME", default_value = "5m")]
    life: humantime::Duration,
    /// Where it goes; standard output if not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: Args) -> Ending {
    let key = KeySource::parse(&args.key)?.load()?;
    let (audience, tool) =
        split(&args.tool).ok_or_else(|| format!("{:?} is not <server audience>#<tool>", args.tool))?;
    let labels = Labels::of(&args.labels).filter(|labels| !labels.is_empty());
    let labels = labels.ok_or("--labels: a label is 1 to 64 characters of a-z, 0-9, `.`, `_`, `:`, `/` and `-`")?;
    let life = args.life.as_secs();
    if !(1..=MAX_DECLASSIFICATION_LIFE).contains(&life) {
        return Err("--life must be from a second to ten minutes; no verifier accepts more".into());
    }
    let text = std::fs::read(&args.arguments).map_err(|e| format!("cannot read {}: {e}", args.arguments.display()))?;
    let arguments = json::parse(&text).map_err(|e| format!("{}: {e}", args.arguments.display()))?;
    if arguments.as_object().is_none() {
        return Err(format!("{}: the arguments of a call are one JSON object", args.arguments.display()).into());
    }
    let mut bits = [[0; 16]; 2];
    getrandom::fill(bits.as_flattened_mut())?;
    let [id, salt] = bits;
    let now = attest_log::clock::now();
    let once = Once {
        audience: audience.to_owned(),
        expires: now + life,
        issued_at: now,
        id: Jti(id),
        key: read_public(&args.to)?.thumbprint().clone(),
        params: Digest::salted(&Salt(salt), &params(&arguments, tool)),
        tool: tool.to_owned(),
    };
    let token = Declassification { once, labels }.sign(&key)?;
    let text = format!("{{\"salt\":\"{}\",\"token\":\"{token}\"}}\n", b64::encode(salt));
    match args.out {
        Some(path) => write_new(&path, &text)?,
        None => output::text(text),
    }
    Ok(0)
}

/// The canonical parameters of a `tools/call` with these arguments.
fn params(arguments: &Value<'_>, tool: &str) -> Vec<u8> {
    let name = Value::String(tool.into()).to_canonical();
    [b"{\"arguments\":", &*arguments.to_canonical(), b",\"name\":", &*name, b"}"].concat()
}
