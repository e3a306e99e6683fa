//! How a server process ended.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a server process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Exit {
    /// It exited with this code, 0 to 255.
    Code(u8),
    /// It died by this signal.
    Signal(u8),
}

impl Exit {
    /// What the relay exits with in turn: the server's code, or 128 + n for signal n, as shells do.
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => signal.saturating_add(128),
        }
    }
}

impl From<ExitStatus> for Exit {
    fn from(status: ExitStatus) -> Self {
        // Both numbers fit a byte on every Unix; anything else counts as failure.
        let byte = |n: i32| u8::try_from(n).unwrap_or(u8::MAX);
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(byte(code)),
            (None, Some(signal)) => Self::Signal(byte(signal)),
            (None, None) => Self::Code(u8::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_death_by_signal_is_128_and_its_number() {
        assert_eq!(Exit::from(ExitStatus::from_raw(9)), Exit::Signal(9));
        assert_eq!(Exit::Signal(9).code(), 137);
        assert_eq!(Exit::from(ExitStatus::from_raw(3 << 8)), Exit::Code(3));
        assert_eq!(Exit::Code(3).code(), 3);
    }
}
