//! Limits of a gateway.

use std::time::Duration;

/// Limits of a gateway. Each bounds memory, processes or time that a caller could otherwise use up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayOptions {
    /// Most bytes in a child's line, ending not counted. A child that writes a longer one is ended.
    pub max_answer: usize,
    /// Most requests open at one time, over both eras. One more is answered 503.
    pub open_requests: usize,
    /// Most sessions, each with a child of its own. One more `initialize` is answered 503.
    pub sessions: usize,
    /// How long a session may be without any request or open stream before it is ended.
    pub session_idle: Duration,
    /// Most messages kept for one stream: those a slow reader has not taken yet, and in a session also those kept to be
    /// sent again after a broken connection. A reader further behind is cut off.
    pub stream_messages: usize,
    /// The same in bytes, for a 2026-07-28 request and for a whole session. One message of any size is always kept.
    pub stream_bytes: usize,
    /// How long a stream may be silent before a comment is sent on it, so that nothing between takes it for dead.
    pub keep_alive: Duration,
    /// How long a child that should end may take, before SIGTERM and again before SIGKILL.
    pub grace: Duration,
}

impl Default for GatewayOptions {
    fn default() -> Self {
        Self {
            max_answer: 64 << 20,
            open_requests: 65_536,
            sessions: 256,
            session_idle: Duration::from_secs(30 * 60),
            stream_messages: 256,
            stream_bytes: 64 << 20,
            keep_alive: Duration::from_secs(15),
            grace: Duration::from_secs(5),
        }
    }
}
