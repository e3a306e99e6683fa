//! `attest demo-tamper`: somebody between the agent and the guard who changes what passes. Holds no key.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use attest_core::call_proof::CallProof;
use attest_core::json::{self, Value};
use attest_core::jws::Unverified;
use attest_core::names::PROOF;

use crate::Ending;

/// Passes lines on in both directions, and does one thing to each signed call on its way to the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    trick: Trick,
}

#[derive(Debug, clap::Subcommand)]
enum Trick {
    /// Puts other text into it
    Replace {
        /// The text that stands in it
        from: String,
        /// The text to put there
        to: String,
        #[command(flatten)]
        server: Server,
    },
    /// Sends it a second time, in place of the next request that asks for no tool
    Replay {
        #[command(flatten)]
        server: Server,
    },
    /// Keeps it until its proof has expired
    Hold {
        /// Seconds by which the guard lets clocks differ
        skew: u64,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, clap::Args)]
struct Server {
    /// What to start behind
    #[arg(last = true, required = true, value_name = "SERVER COMMAND")]
    command: Vec<OsString>,
}

/// The id of the request in place of which a call is sent a second time. The call takes this id: gateways renumber calls, so the
/// id is not part of what is signed, and an answer under an id that nobody asked under would reach nobody.
pub(crate) const REPLAYED: &str = "replayed";

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: Args) -> Ending {
    let (Trick::Replace { server, .. } | Trick::Replay { server } | Trick::Hold { server, .. }) = &args.trick;
    let (program, arguments) = server.command.split_first().ok_or("no server command: write it after --")?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let from_server = child.stdout.take().ok_or("a piped child has a standard output")?;
    let mut to_server = child.stdin.take().ok_or("a piped child has a standard input")?;
    let answers = std::thread::spawn(move || io::copy(&mut io::BufReader::new(from_server), &mut io::stdout().lock()));
    let mut again = None;
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        let line = if is_signed(&line) {
            args.trick.play(line, &mut again)?
        } else if is_replayed(&line) {
            again.take().unwrap_or(line)
        } else {
            line
        };
        to_server.write_all(&[&*line, b"\n"].concat()).and_then(|()| to_server.flush())?;
    }
    drop(to_server);
    answers.join().map_err(|_| "the thread that passes answers on has ended")??;
    Ok(child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// Our name alone is not enough: a client's declaration bears it too.
fn is_signed(line: &[u8]) -> bool {
    json::parse(line).is_ok_and(|message| proof_of(&message).is_some())
}

fn is_replayed(line: &[u8]) -> bool {
    json::parse(line).ok().as_ref().and_then(id_of).is_some_and(|id| id == format!("{REPLAYED:?}").as_bytes())
}

fn id_of(message: &Value<'_>) -> Option<Vec<u8>> {
    Some(message.as_object()?.get("id")?.to_canonical())
}

impl Trick {
    /// What becomes of a signed call.
    /// `again` is what is sent a second time.
    fn play(&self, line: Vec<u8>, again: &mut Option<Vec<u8>>) -> Result<Vec<u8>, Failure> {
        let text = std::str::from_utf8(&line)?;
        match self {
            Self::Replace { from, to, .. } => {
                if !text.contains(from) {
                    return Err(format!("{from:?} does not stand in the call").into());
                }
                Ok(text.replace(from, to).into_bytes())
            }
            Self::Replay { .. } => {
                let id = json::parse(&line).ok().as_ref().and_then(id_of).ok_or("a call has an id")?;
                // A wrap sends canonical JSON, so the id stands first.
                let start = format!("{{\"id\":{},", std::str::from_utf8(&id)?);
                let rest = text.strip_prefix(&start).ok_or("the call is not in canonical form")?;
                *again = Some(format!("{{\"id\":\"{REPLAYED}\",{rest}").into_bytes());
                Ok(line)
            }
            Self::Hold { skew, .. } => {
                let message = json::parse(&line)?;
                let expires = proof_of(&message).ok_or("the call carries no proof that can be read")?.expires;
                while attest_log::clock::now() <= expires + skew {
                    std::thread::sleep(Duration::from_millis(50));
                }
                Ok(line)
            }
        }
    }
}

fn proof_of(message: &Value<'_>) -> Option<CallProof> {
    let member = |value: &Value<'_>, name: &str| Some(value.as_object()?.get(name)?.clone().into_owned());
    let proof = member(&member(&member(message, "params")?, "_meta")?, PROOF)?;
    let token = Unverified::<CallProof>::read(member(&proof, "prf")?.as_str()?).ok()?;
    Some(token.peek().clone())
}
