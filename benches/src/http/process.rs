//! A process under measurement: where it listens, what CPU time it has used, how much memory it holds.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http::Uri;
use rustix::process::{Pid, Signal, kill_process};

use crate::Outcome;

/// A started process. Dropping it sends SIGTERM and waits for its end.
pub struct Process {
    child: Child,
    /// The URL that it printed; whoever prints none has none.
    pub url: String,
}

/// Memory of one process, or of one and its children.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Resident set, KiB. Pages that children share count for each.
    pub resident: u64,
    /// Of that what it has for itself, KiB: neither mapped files nor shared with others.
    pub private: u64,
}

impl Process {
    /// Starts it, and waits for the line in which it says its URL: `http://…` on standard output, or `… on http://…` on
    /// standard error.
    pub fn listening(mut command: Command, on_stderr: bool) -> Outcome<Self> {
        let pipes = if on_stderr { (Stdio::null(), Stdio::piped()) } else { (Stdio::piped(), Stdio::inherit()) };
        let child = command.stdin(Stdio::null()).stdout(pipes.0).stderr(pipes.1).spawn()?;
        let mut it = Self { child, url: String::new() };
        let said: Box<dyn Read + Send> = match (it.child.stdout.take(), it.child.stderr.take()) {
            (Some(out), _) => Box::new(out),
            (None, Some(err)) => Box::new(err),
            (None, None) => return Err("no pipe".into()),
        };
        let mut said = BufReader::new(said);
        let mut line = String::new();
        it.url = loop {
            line.clear();
            if said.read_line(&mut line)? == 0 {
                return Err(format!("{} ended and told no URL", command.get_program().display()).into());
            }
            match line.find("http://").and_then(|at| line.get(at..)) {
                Some(url) => break url.trim().to_owned(),
                None => eprint_line(&line),
            }
        };
        // What it says later is to be seen, and must not fill the pipe.
        std::thread::spawn(move || said.lines().map_while(Result::ok).for_each(|line| eprint_line(&line)));
        Ok(it)
    }

    /// Starts one that tells nothing; `url` is where it will listen.
    pub fn silent(mut command: Command, url: String) -> Outcome<Self> {
        Ok(Self { child: command.stdin(Stdio::null()).spawn()?, url })
    }

    /// Where it listens.
    pub fn address(&self) -> Outcome<SocketAddr> {
        let uri: Uri = self.url.parse()?;
        Ok(uri.authority().ok_or("no address")?.as_str().parse()?)
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// CPU time of all its threads and of its children, so far, as the scheduler counts it.
    pub fn cpu(&self) -> Outcome<Duration> {
        let mut sum = 0;
        for id in family(self.id()) {
            for task in fs::read_dir(format!("/proc/{id}/task"))? {
                let of = task?.path().join("schedstat");
                // A thread may end while we look.
                let text = fs::read_to_string(of).unwrap_or_default();
                sum += text.split(' ').next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
            }
        }
        Ok(Duration::from_nanos(sum))
    }

    /// What it and its children hold now.
    pub fn memory(&self) -> Outcome<Memory> {
        memory(family(self.id()).into_iter())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(id) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(id, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

/// Memory of these processes together.
pub(super) fn memory(ids: impl Iterator<Item = u32>) -> Outcome<Memory> {
    let mut sum = Memory::default();
    for id in ids {
        let text = fs::read_to_string(format!("/proc/{id}/status"))?;
        let of = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse::<u64>().ok())
        };
        sum.resident += of("VmRSS:").ok_or("no VmRSS")?;
        sum.private += of("RssAnon:").ok_or("no RssAnon")?;
    }
    Ok(sum)
}

/// A process and its children.
pub(super) fn family(id: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    std::iter::once(id).chain(children.split_whitespace().filter_map(|word| word.parse().ok())).collect()
}

/// Processes whose command line has this word in it.
pub(super) fn with_word(word: &str) -> Outcome<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let words = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if words.split(|byte| *byte == 0).any(|it| it == word.as_bytes()) {
            found.push(id);
        }
    }
    Ok(found)
}

fn eprint_line(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "{}", line.trim_end());
}
