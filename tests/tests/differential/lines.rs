//! What a server over stdio is given to read of a document: through the real relay, with everything but calls passed as the
//! guard passes it. Calls are left out here; they are looked at as they are forwarded.

use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Write as _};
use std::process::Command;
use std::thread;

use attest_core::json::Value;
use attest_core::request::{Message, classify};
use mcp_relay::stdio::{self, Client};
use mcp_relay::{Bytes, Defect, Handling, Interceptor, Refusal, ToClient, ToServer};

/// A relay in front of `cat`, which sends back what it reads.
pub struct Lines {
    input: PipeWriter,
    output: BufReader<PipeReader>,
    marks: u64,
}

struct OthersOnly;

impl Interceptor for OthersOnly {
    fn client_message(&self, _: Bytes, value: &Value<'_>) -> Handling<ToServer> {
        Handling::Now(match classify(value) {
            Ok(Message::Other) => ToServer::Pass,
            _ => ToServer::Drop,
        })
    }

    fn client_defect(&self, _: Defect, _: Option<&Value<'_>>) -> Handling<Refusal> {
        Handling::Now(Refusal::Drop)
    }

    fn server_message(&self, _: Bytes, _: Option<&Value<'_>>) -> Handling<ToClient> {
        Handling::Now(ToClient::Pass)
    }
}

impl Lines {
    pub fn start() -> Self {
        let (from_us, input) = std::io::pipe().unwrap();
        let (output, to_us) = std::io::pipe().unwrap();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let client = Client::new(from_us.into(), to_us.into());
            runtime.block_on(stdio::run(Command::new("cat"), client, OthersOnly, stdio::Options::default())).unwrap();
        });
        Self { input, output: BufReader::new(output), marks: 0 }
    }

    fn mark(number: u64) -> Vec<u8> {
        format!("{{\"jsonrpc\":\"2.0\",\"method\":\"between\",\"params\":{{\"documents\":{number}}}}}\n").into_bytes()
    }

    /// What is left of each document, each one sent with a line feed after it.
    pub fn passed(&mut self, documents: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let first = self.marks;
        self.marks += documents.len() as u64;
        let (input, output) = (&mut self.input, &mut self.output);
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut all = Vec::new();
                for (document, number) in documents.iter().zip(first..) {
                    all.extend_from_slice(document);
                    all.push(b'\n');
                    all.extend(Self::mark(number));
                }
                input.write_all(&all).unwrap();
            });
            (first..).take(documents.len()).map(|number| until(output, &Self::mark(number))).collect()
        })
    }
}

/// The lines up to the mark.
fn until(output: &mut BufReader<PipeReader>, mark: &[u8]) -> Vec<u8> {
    let mut passed = Vec::new();
    loop {
        let start = passed.len();
        let read = output.read_until(b'\n', &mut passed).unwrap();
        assert!(read > 0, "the relay ended");
        if passed[start..] == *mark {
            passed.truncate(start);
            return passed;
        }
    }
}
