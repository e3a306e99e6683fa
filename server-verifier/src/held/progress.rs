//! What a caller is told while its request is held.

use attest_core::json::{self, Value};
use mcp_relay::{Aside, Id};

use crate::judge::Pending;

/// How far each notification counts. Far below one: the server behind begins to count anew, and what a client is told should rise.
const STEP: f64 = 0.001;

/// `notifications/progress` of one request.
pub(super) struct Progress {
    /// `None` where the caller asked for none.
    token: Option<Id>,
    told: u32,
}

impl Progress {
    /// For the request of this line, as its `_meta` asks for it.
    pub fn of(line: &[u8]) -> Self {
        let message = json::parse(line).ok();
        let of = |value: &Value<'_>| {
            let meta = value.as_object()?.get("params")?.as_object()?.get("_meta")?.as_object()?;
            Id::of(meta.get("progressToken")?)
        };
        Self { token: message.as_ref().and_then(of), told: 0 }
    }

    /// Says for whom it waits.
    pub fn tell(&mut self, aside: &Aside, pending: &Pending) {
        let Some(token) = &self.token else { return };
        self.told = self.told.saturating_add(1);
        let mut line = br#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"message":"#.to_vec();
        json::write_string(&pending.waits_for, &mut line);
        line.extend_from_slice(br#","progress":"#);
        json::write_canonical(&Value::Number(f64::from(self.told) * STEP), &mut line);
        line.extend_from_slice(br#","progressToken":"#);
        json::write_canonical(&token.to_value(), &mut line);
        line.extend_from_slice(b"}}");
        aside.tell(line.into());
    }
}
