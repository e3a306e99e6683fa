//! Hosts: whose servers bypass attest, and which `attest` they start.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use attest_hosts::{Found, Scope, servers};

use super::Findings;

const ABOUT: &str = "host";

/// Longest that a program may take to say its version.
const LONGEST: Duration = Duration::from_secs(5);

pub(super) fn look(files: &[Found], findings: &mut Findings) {
    // By program: where it is named, and whether a file of the user's own names it.
    let mut programs = BTreeMap::<String, (String, bool)>::new();
    for found in files {
        let place = format!("{} ({})", found.host, found.path.display());
        let all = match servers(found.host, &found.path) {
            Ok(all) => all,
            Err(error) => {
                findings.wrong(ABOUT, format_args!("{}: {error}", found.host));
                continue;
            }
        };
        let bypassing: Vec<_> =
            all.iter().filter(|server| server.bypasses()).map(|server| server.name.as_str()).collect();
        match bypassing.len() {
            0 => findings.ok(ABOUT, format_args!("{place}: none of {} servers bypasses attest", all.len())),
            count => findings.wrong(
                ABOUT,
                format_args!(
                    "{place}: {count} of {} servers bypass attest ({}); run: attest hosts install",
                    all.len(),
                    listed(&bypassing)
                ),
            ),
        }
        for program in all.into_iter().filter_map(|server| server.program) {
            let own = found.scope != Scope::Project;
            let entry = programs.entry(program).or_insert_with(|| (place.clone(), own));
            entry.1 |= own;
        }
    }
    for (program, (place, own)) in &programs {
        version(program, place, *own, findings);
    }
}

/// The first names; a list of hundreds would hide the rest.
fn listed(names: &[&str]) -> String {
    const MOST: usize = 5;
    let first: Vec<_> = names.iter().take(MOST).map(|name| name.escape_debug().to_string()).collect();
    let more = if names.len() > MOST { ", …" } else { "" };
    format!("{}{more}", first.join(", "))
}

fn version(program: &str, place: &str, own: bool, findings: &mut Findings) {
    let ours = env!("CARGO_PKG_VERSION");
    let path = Path::new(program);
    if !path.is_absolute() {
        return findings.warning(
            ABOUT,
            format_args!("{place} starts {program:?} by a search path, which hosts set themselves; install again with the full path"),
        );
    }
    if !path.exists() {
        return findings.wrong(
            ABOUT,
            format_args!("{place} starts {program}, which is not there; attest hosts remove, then install"),
        );
    }
    let same = std::env::current_exe().and_then(|own| Ok(own.canonicalize()? == path.canonicalize()?)).unwrap_or(false);
    if same {
        return findings.ok(ABOUT, format_args!("{place} starts this attest, {ours}"));
    }
    if !own {
        return findings.warning(
            ABOUT,
            format_args!(
                "{place} starts {program}, another program than this; it was not run, since the file is a project's"
            ),
        );
    }
    match asked(program) {
        Ok(said) if said == format!("attest {ours}") => {
            findings.ok(ABOUT, format_args!("{place} starts {program}, {ours} like this"))
        }
        Ok(said) => findings.wrong(
            ABOUT,
            format_args!(
                "{place} starts {program}, which calls itself {said:?}; this is attest {ours}. Replace the older one"
            ),
        ),
        Err(error) => findings.wrong(ABOUT, format_args!("{place} starts {program}, which does not run: {error}")),
    }
}

/// What a program says to `--version`.
fn asked(program: &str) -> Result<String, std::io::Error> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let start = Instant::now();
    while child.try_wait()?.is_none() {
        if start.elapsed() > LONGEST {
            child.kill()?;
            child.wait()?;
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let mut said = Vec::new();
    // What fits into a pipe is there already; a grandchild that keeps it open must not be waited for.
    if let Some(out) = child.stdout.take() {
        rustix::io::ioctl_fionbio(&out, true)?;
        match out.take(256).read_to_end(&mut said) {
            Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}
