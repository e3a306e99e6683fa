//! Another language's readers, in one process that lives as long as the run.

use std::io::{BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use attest_tests::world::tests_folder;

/// What is asked about a document: `tests/fuzz-json/oracle.py` says what is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Which readings find a call?
    Hunt,
    /// The same of the body of an HTTP request, which nobody cuts into lines.
    HuntInBody,
    /// Which one call do they all find?
    Forwarded,
    /// What does the language's own reader read?
    Plain,
}

/// A process that answers.
pub struct Oracle {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: usize,
}

fn env(file: &str) -> PathBuf {
    let path = tests_folder().join("../.test-env").join(file);
    assert!(path.exists(), "{} is missing; run scripts/setup-test-env", path.display());
    path
}

impl Oracle {
    pub fn node() -> Self {
        let mut command = Command::new(env("bin/node"));
        command.arg(tests_folder().join("fuzz-json/oracle.mjs")).arg(env("node").canonicalize().unwrap());
        Self::start(command)
    }

    pub fn python() -> Self {
        let mut command = Command::new(env("python/bin/python"));
        command.arg(tests_folder().join("fuzz-json/oracle.py"));
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("cannot start {command:?}: {e}"));
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output), asked: 0 }
    }

    /// Asks about many documents. The answers are to be taken before the next batch.
    pub fn ask(&mut self, documents: &[(Mode, &[u8])]) {
        assert_eq!(self.asked, 0, "answers wait");
        let mut batch = Vec::new();
        for (mode, document) in documents {
            batch.extend(u32::try_from(document.len() + 1).unwrap().to_be_bytes());
            batch.push(match mode {
                Mode::Hunt => b'H',
                Mode::HuntInBody => b'B',
                Mode::Forwarded => b'F',
                Mode::Plain => b'P',
            });
            batch.extend_from_slice(document);
        }
        self.asked = documents.len();
        self.input.write_all(&u32::try_from(batch.len()).unwrap().to_be_bytes()).unwrap();
        self.input.write_all(&batch).unwrap();
        self.input.flush().unwrap();
    }

    /// The answers to the last batch.
    pub fn answers(&mut self) -> Vec<Vec<u8>> {
        let mut answers = Vec::with_capacity(self.asked);
        for _ in 0..std::mem::take(&mut self.asked) {
            let mut length = [0; 4];
            self.output.read_exact(&mut length).expect("the process lives: its message stands above");
            let mut answer = vec![0; u32::from_be_bytes(length) as usize];
            self.output.read_exact(&mut answer).expect("the process lives: its message stands above");
            answers.push(answer);
        }
        answers
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
