//! The clock, against those of others: attestations and proofs are good for minutes.

use std::time::{Duration, SystemTime};

use super::Findings;

const ABOUT: &str = "clock";

/// A file system stamps with a clock of its own where it lies on another machine.
const FILES: Duration = Duration::from_secs(5);

/// Against a fresh file.
pub(super) fn files(findings: &mut Findings) {
    let made = tempfile::tempfile().and_then(|file| file.metadata()?.modified());
    let now = SystemTime::now();
    match made {
        Ok(made) if apart(made, now) > FILES => findings.wrong(
            ABOUT,
            format_args!(
                "it is {} s apart from the times of files in {}; set it with NTP (timedatectl set-ntp true)",
                apart(made, now).as_secs(),
                std::env::temp_dir().display()
            ),
        ),
        Ok(_) => findings.ok(ABOUT, "agrees with the times of fresh files"),
        Err(error) => {
            findings.warning(ABOUT, format_args!("cannot make a file in {}: {error}", std::env::temp_dir().display()))
        }
    }
}

/// Against a server's `Date`; `half` is how long its answer took on the way, at most.
pub(super) fn server(name: &str, date: &str, now: SystemTime, half: Duration, findings: &mut Findings) {
    let Ok(date) = jiff::fmt::rfc2822::parse(date) else {
        return findings.warning(ABOUT, format_args!("{name} sends a Date that cannot be read: {date:?}"));
    };
    let apart = apart(SystemTime::from(date.timestamp()), now).saturating_sub(half).as_secs();
    if apart > attest_core::trust::DEFAULT_SKEW {
        findings.wrong(
            ABOUT,
            format_args!(
                "it is {apart} s apart from that of {name}, more than the {} s that a guard allows; set both with NTP",
                attest_core::trust::DEFAULT_SKEW
            ),
        );
    } else {
        findings.ok(ABOUT, format_args!("agrees with that of {name}"));
    }
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}
