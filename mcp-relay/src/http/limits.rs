//! What one exchange, and all of them together, may use.

use std::time::Duration;

use serde::{Deserialize, Deserializer};

/// Limits of an HTTP relay. The defaults are stated at each. In a configuration file each stands under the name that is
/// given with it; those of bodies stand elsewhere, since other transports have them too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Most bytes of a request's body: 4 MiB.
    #[serde(skip)]
    pub request: usize,
    /// Most bytes of an answer, or of one event of a streamed answer: 16 MiB.
    #[serde(skip)]
    pub answer: usize,
    /// Most bytes of a request's head: 64 KiB.
    #[serde(rename = "head_bytes")]
    pub head: usize,
    /// Most header fields of a request: 100.
    pub headers: usize,
    /// Most connections at one time, idle ones included: 16,384. Further ones wait until one ends.
    pub connections: usize,
    /// Most bytes of request bodies that are held at one time, all callers together: 256 MiB. Beyond it a request is told to come
    /// again (503), so that bodies which never end cannot fill the memory.
    #[serde(rename = "held_bytes")]
    pub held: usize,
    /// How long a connection may take to send the head of its next request, idle time included: 75 s.
    #[serde(rename = "head_seconds", deserialize_with = "seconds")]
    pub head_time: Duration,
    /// How long a request's body may take from its head to its last byte: 30 s.
    #[serde(rename = "body_seconds", deserialize_with = "seconds")]
    pub body_time: Duration,
    /// How long the server may take from the request to the head of its answer, and from there to the last byte of an answer
    /// that is no event stream: 600 s each.
    #[serde(rename = "answer_seconds", deserialize_with = "seconds")]
    pub answer_time: Duration,
    /// How long an event stream may be silent before the client gets a comment that keeps the connection open: 15 s.
    #[serde(rename = "keep_alive_seconds", deserialize_with = "seconds")]
    pub keep_alive: Duration,
    /// How long a request whose event stream broke off may be resumed (2025-11-25, `Last-Event-ID`): 300 s.
    #[serde(rename = "resume_seconds", deserialize_with = "seconds")]
    pub resume_time: Duration,
    /// How long open exchanges may go on once the relay is told to end: 10 s.
    #[serde(rename = "grace_seconds", deserialize_with = "seconds")]
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: 4 << 20,
            answer: 16 << 20,
            head: 64 << 10,
            headers: 100,
            connections: 16_384,
            held: 256 << 20,
            head_time: Duration::from_secs(75),
            body_time: Duration::from_secs(30),
            answer_time: Duration::from_secs(600),
            keep_alive: Duration::from_secs(15),
            resume_time: Duration::from_secs(300),
            grace: Duration::from_secs(10),
        }
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_secs)
}
