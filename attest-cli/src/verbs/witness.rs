//! `attest witness`: cosigns the checkpoints of logs.

use std::net::SocketAddr;
use std::path::PathBuf;

use attest_core::witness::MAX_ADD_CHECKPOINT;
use attest_keys::KeySource;
use attest_log::witness::Witness;
use attest_log::{Answer, clock};
use http::Method;

use crate::web::{Place, Site};
use crate::{Ending, output};

/// Watches logs: cosigns each checkpoint that continues the one before, and no second tree of one size.
///
/// Speaks C2SP's tlog-witness: `POST /add-checkpoint`, and `GET /<SHA-256 of the log's name>/checkpoint` for monitors. Run it
/// where who runs the log cannot reach it. Prints its key, and the line for a log's witness policy.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it remembers, in a folder of its own; made where there is none
    #[arg(long, value_name = "FOLDER", default_value = "witness")]
    state: PathBuf,
    /// Its key, a file or ssh-agent:…; made at first use; witness.key in the folder if not given
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Its name: by custom its URL without https://
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A log that it watches: a line of `attest log key` (all of them, in order, for a log whose key was changed)
    #[arg(long, value_name = "VKEY")]
    log: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// Where it listens if not told otherwise: this machine alone.
const DEFAULT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7380);

pub(crate) fn run(args: Args) -> Ending {
    let key = match &args.key {
        Some(key) => KeySource::parse(key)?,
        None => KeySource::File(args.state.join("witness.key")),
    };
    let witness = Witness::open(&args.state, &key, &args.name, &args.log)?;
    if witness.origins().next().is_none() {
        output::remark("no log is watched yet; name one with --log (a line of `attest log key`)");
    }
    let vkey = witness.vkey().to_string();
    args.place.serve(DEFAULT, Endpoint(witness), |url| {
        output::line(format_args!("vkey    {vkey}"));
        // In a policy a name has no blanks, as in a key, and `none` means something else.
        output::line(format_args!("policy  witness {} {vkey} {url}", args.name));
        output::listening(url);
    })?;
    Ok(0)
}

struct Endpoint(Witness);

const ADD: &str = "/add-checkpoint";

/// The hash in `/<hash>/checkpoint`.
fn asked(path: &str) -> Option<&str> {
    path.strip_prefix('/')?.strip_suffix("/checkpoint").filter(|hash| hash.len() == 64)
}

impl Site for Endpoint {
    fn methods(&self, path: &str) -> &'static [Method] {
        match path {
            ADD => &[Method::POST],
            path if asked(path).is_some() => &[Method::GET],
            _ => &[],
        }
    }

    fn max_body(&self) -> usize {
        MAX_ADD_CHECKPOINT
    }

    fn answer(&self, _: &Method, path: &str, body: &[u8]) -> Answer {
        match asked(path) {
            Some(hash) => self.0.checkpoint(hash),
            None => self.0.add_checkpoint(body, clock::now()),
        }
    }
}
