//! `attest demo-tamper`: somebody between the agent and the guard who changes what passes. Holds no key.

use std::ffi::OsString;
use std::io::{self, BufRead as _, Write as _};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Sends it a second time when it has been answered
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

/// The id of a call that is sent a second time: gateways renumber calls, so the id is not part of what is signed.
pub(crate) const REPLAYED: &str = "replayed";

type Failure = Box<dyn std::error::Error>;

pub(crate) fn run(args: Args) -> Ending {
    let (Trick::Replace { server, .. } | Trick::Replay { server } | Trick::Hold { server, .. }) = &args.trick;
    let (program, arguments) = server.command.split_first().ok_or("no server command: write it after --")?;
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let from_server = child.stdout.take().ok_or("a piped child has a standard output")?;
    let wire = Arc::new(Wire { to_server: Mutex::new(child.stdin.take()), again: Mutex::new(None) });
    let answers = {
        let wire = wire.clone();
        std::thread::spawn(move || wire.answers(io::BufReader::new(from_server)))
    };
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        let line = if is_signed(&line) { args.trick.play(line, &wire)? } else { line };
        wire.send(&line)?;
    }
    locked(&wire.to_server).take();
    answers.join().map_err(|_| "the thread that passes answers on has ended")??;
    Ok(child.wait()?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

fn is_signed(line: &[u8]) -> bool {
    line.windows(PROOF.len()).any(|part| part == PROOF.as_bytes())
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Wire {
    /// `None` once the client has gone.
    to_server: Mutex<Option<ChildStdin>>,
    /// The id whose answer is waited for, in canonical form, and the line to send then.
    again: Mutex<Option<(Vec<u8>, Vec<u8>)>>,
}

impl Wire {
    fn send(&self, line: &[u8]) -> io::Result<()> {
        match &mut *locked(&self.to_server) {
            Some(server) => server.write_all(&[line, b"\n"].concat()).and_then(|()| server.flush()),
            None => Ok(()),
        }
    }

    fn answers(&self, from_server: impl io::BufRead) -> io::Result<()> {
        let mut out = io::stdout().lock();
        for line in from_server.split(b'\n') {
            let line = line?;
            out.write_all(&[&*line, b"\n"].concat())?;
            out.flush()?;
            let answered = json::parse(&line).ok().as_ref().and_then(id_of);
            if let Some((_, again)) = locked(&self.again).take_if(|(id, _)| Some(&*id) == answered.as_ref()) {
                self.send(&again)?;
            }
        }
        Ok(())
    }
}

fn id_of(message: &Value<'_>) -> Option<Vec<u8>> {
    Some(message.as_object()?.get("id")?.to_canonical())
}

impl Trick {
    /// What becomes of a signed call.
    fn play(&self, line: Vec<u8>, wire: &Wire) -> Result<Vec<u8>, Failure> {
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
                let again = format!("{{\"id\":\"{REPLAYED}\",{rest}");
                *locked(&wire.again) = Some((id, again.into_bytes()));
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
