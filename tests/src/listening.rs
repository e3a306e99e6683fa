//! Programs that listen: started by a test, ended with it.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what goes wrong here is the end of a test, and must say where"
)]

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::PATIENCE;

/// A program that has said where it listens. It is asked to end (SIGTERM), and waited for, when this goes.
#[derive(Debug)]
pub struct Listening {
    url: String,
    pid: Pid,
    /// How it ended; empty once that was taken.
    ended: Option<Receiver<ExitStatus>>,
    said: Arc<Mutex<String>>,
}

impl Listening {
    /// Starts a program that says its URL in a line of standard output or standard error, and waits for that line.
    pub fn start(mut command: Command) -> Self {
        let shown = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
        let (found, urls) = mpsc::channel();
        let said = Arc::<Mutex<String>>::default();
        listen_to(child.stdout.take().expect("piped"), found.clone(), said.clone());
        listen_to(child.stderr.take().expect("piped"), found, said.clone());
        let (pid, ended) = (pid_of(&child), reap(child));
        // The channel is closed early by a program that ends, or at least closes both its outputs.
        let Ok(url) = urls.recv_timeout(PATIENCE) else {
            let _ = kill_process(pid, Signal::KILL);
            panic!("{shown} does not listen; it said: {}", said.lock().unwrap());
        };
        Self { url, pid, ended: Some(ended), said }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it has said so far, on both outputs.
    pub fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    /// Asks it to end, and waits until it has: what it had to write is written.
    pub fn end(mut self) -> ExitStatus {
        self.stop().unwrap_or_else(|| panic!("it does not end; it said: {}", self.said()))
    }

    /// Kills it, and does not wait for its end.
    pub fn kill_now(&self) {
        let _ = kill_process(self.pid, Signal::KILL);
    }

    /// Kills it, and waits until it is gone.
    pub fn kill(mut self) {
        self.kill_now();
        if let Some(ended) = self.ended.take() {
            ended.recv_timeout(PATIENCE).expect("what is killed ends");
        }
    }

    fn stop(&mut self) -> Option<ExitStatus> {
        let ended = self.ended.take()?;
        if let Ok(status) = ended.try_recv() {
            return Some(status);
        }
        let _ = kill_process(self.pid, Signal::TERM);
        let status = ended.recv_timeout(PATIENCE).ok();
        if status.is_none() {
            let _ = kill_process(self.pid, Signal::KILL);
        }
        status
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop();
    }
}

fn pid_of(child: &Child) -> Pid {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process has a number")
}

fn reap(mut child: Child) -> Receiver<ExitStatus> {
    let (sender, ended) = mpsc::channel();
    thread::spawn(move || sender.send(child.wait().expect("our child")));
    ended
}

/// Reads to the end, since a full pipe would stop the program.
fn listen_to(output: impl Read + Send + 'static, found: Sender<String>, said: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            let url = line
                .split_whitespace()
                .find(|word| ["http://", "https://"].iter().any(|scheme| word.starts_with(scheme)));
            // The line first, so that whoever hears of the URL finds it.
            said.lock().unwrap().push_str(&(line.clone() + "\n"));
            if let Some(url) = url {
                let _ = found.send(url.to_owned());
            }
        }
    });
}
