//! What an entry says beside others.

use std::collections::HashMap;

use crate::digest::{Digest, Jti};
use crate::note::Vkey;

/// What an entry says beside others, once it was looked at by itself: small, since it waits for those before it. Names are
/// numbers of [`Names`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fact {
    /// No entry, or none that can be read.
    Nothing,
    /// A verifier starts.
    Start {
        /// Its audience.
        audience: u32,
        /// Its configuration.
        policy: Digest,
        /// Whether others may be at work as well.
        shared: bool,
    },
    /// A verifier goes on with another configuration.
    Config {
        /// Its audience.
        audience: u32,
        /// The configuration.
        policy: Digest,
    },
    /// A call is let through.
    Allow {
        /// Hash of the call proof.
        call: Digest,
        /// The audience.
        audience: u32,
        /// The configuration.
        policy: Digest,
        /// Hashes of the declassifications that it used up.
        declassified: Box<[Digest]>,
        /// Whether an outcome will follow.
        opens: bool,
        /// What its call proof says; none where that cannot be believed.
        proof: Option<Proof>,
    },
    /// A call is refused.
    Deny {
        /// The audience.
        audience: u32,
        /// The configuration.
        policy: Digest,
    },
    /// A call ended.
    Outcome {
        /// Hash of the call proof.
        call: Digest,
        /// The audience, where there is one.
        audience: Option<u32>,
    },
    /// Refusals were counted.
    Refused {
        /// The audience.
        audience: u32,
    },
    /// A person accepted a state.
    Accepted {
        /// The audience.
        audience: u32,
    },
    /// A person closed an alert.
    Closed {
        /// The audience.
        audience: u32,
        /// The entry that it stands in.
        alert: u64,
    },
    /// What serves one call was used.
    Used {
        /// The audience.
        audience: u32,
        /// Hash of the call proof that it serves.
        call: Digest,
        /// Hash of the token that was used.
        token: Digest,
        /// As in [`Fact::Allow`]: of the token that was used.
        proof: Option<Proof>,
    },
    /// A signer starts.
    Context {
        /// The agent.
        agent: u32,
        /// The context.
        context: Jti,
    },
    /// A call was signed.
    Call {
        /// Hash of the call proof.
        call: Digest,
        /// The server.
        audience: u32,
        /// The context.
        context: Jti,
        /// The agent of the attestation; none where that cannot be believed.
        agent: Option<u32>,
        /// Whether an outcome will follow.
        opens: bool,
        /// As in [`Fact::Allow`].
        proof: Option<Proof>,
    },
    /// A receipt came, or should have come, with the answer to a call.
    Receipt {
        /// Hash of the call proof.
        call: Digest,
        /// The server.
        audience: u32,
    },
    /// A session starts of a host whose servers are only watched.
    Trail {
        /// The session.
        session: Jti,
    },
    /// Something was seen.
    Seen {
        /// The session.
        session: Jti,
        /// The call that an answer is to be expected of.
        opens: Option<Digest>,
        /// The call that it is the answer to.
        ends: Option<Digest>,
    },
    /// A rule found something.
    Alert {
        /// The last of the entries that it rests on.
        last: u64,
    },
    /// The key changes: the one until here, and the next.
    Key(Box<(Vkey, Vkey)>),
    /// Tokens of their own were let go.
    Forgotten {
        /// Those of entries before this one.
        before: u64,
    },
    /// The log was taken over by hand.
    Adopted {
        /// How many entries there were.
        size: u64,
    },
}

/// What of a call proof matters beside other entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Thumbprint of the call key.
    pub key: Digest,
    /// Its `jti`.
    pub id: Jti,
    /// Seconds since 1970.
    pub issued_at: u64,
    /// Seconds since 1970 until which it could have been accepted under any configuration.
    pub until: u64,
}

/// A fact, and when it was written down, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub time: u64,
    /// What.
    pub fact: Fact,
}

/// Names as numbers: a log says the same few names again and again.
#[derive(Debug, Default)]
pub struct Names {
    numbers: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    last: (Box<str>, u32),
}

impl Names {
    /// No name yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a name.
    pub fn number(&mut self, name: &str) -> u32 {
        if !name.is_empty() && *self.last.0 == *name {
            return self.last.1;
        }
        let number = match self.numbers.get(name) {
            Some(number) => *number,
            None => {
                let next = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
                self.names.push(name.into());
                self.numbers.insert(name.into(), next);
                next
            }
        };
        self.last = (name.into(), number);
        number
    }

    /// All names, by number.
    pub fn all(&self) -> &[Box<str>] {
        &self.names
    }
}
