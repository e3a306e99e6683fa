//! Calls that a caller made on nobody's behalf, as it says, while somebody asked it for something.
//!
//! That a host lies about what led to a call is prevented by no signature. What it cannot do is to leave no trace in the log of the guard
//! in front of it: that it was being asked at that moment.

use std::collections::BTreeMap;
use std::path::Path;

use attest_core::digest::Digest;
use attest_core::entry::{Verdict, Written};

use super::{Alone, Difference, Done, Found, Stream};

/// Those of `alone` that were made while a call was open in the log of `asked`.
pub(super) fn found(asked: &Path, mut alone: Vec<Alone>) -> Done<Vec<Found>> {
    alone.sort_by_key(|call| call.time);
    let mut alone = alone.into_iter().peekable();
    let mut stream = Stream::open(asked)?;
    // Index and agent of what is open.
    let mut open: BTreeMap<Digest, (u64, String)> = BTreeMap::new();
    let mut found = Vec::new();
    while let Some((index, body, _)) = stream.next("the log of who was asked")? {
        let written = Written::read(&body).map_err(|error| format!("entry {index} of {}: {error}", asked.display()))?;
        let time = written.time();
        while let Some(call) = alone.next_if(|call| call.time < time) {
            found.extend(of(&call, &open));
        }
        match written {
            Written::Decision { call, agent, verdict: Verdict::Allow { notification: false, .. }, .. } => {
                open.insert(call, (index, agent.into_owned()));
            }
            Written::Outcome { call, .. } => drop(open.remove(&call)),
            _ => {}
        }
    }
    found.extend(alone.filter_map(|call| of(&call, &open)));
    Ok(found)
}

fn of(alone: &Alone, open: &BTreeMap<Digest, (u64, String)>) -> Option<Found> {
    let (index, agent) = open.values().next()?;
    let more = match open.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = format!(
        "the caller says that it was made of its own accord while {} asked it for something (entry {index} of its guard's log{more})",
        agent.escape_debug()
    );
    Some(Found {
        difference: Difference::OwnAccord,
        call: alone.call,
        what,
        caller: Some(alone.caller),
        server: Some(alone.server),
    })
}
