//! What is the matter with the logs: themselves, alerts, states, and what waits for people.

use attest_core::approval::Approved;
use attest_core::note::Note;
use attest_forensics::{Evidence, Search};
use attest_log::OpenCall;
use attest_log::clock::{now, now_ms};
use serde_json::{Value, json};
use server_verifier::approvals::{Request, Requests, open_requests};

use super::api::{Wrong, latest};
use super::asked::MOST;
use super::view::View;
use crate::verbs::approvals::desk::{self, Standing};
use crate::verbs::approvals::words;

/// Open entries that are looked through for alerts, the latest: calls without an end are among them.
const OPEN: usize = 5_000;
/// Requests that are shown, and the longest line of one.
const REQUESTS: usize = 50;
const LINE: usize = 2_000;

/// The logs, and what is known of whether they are whole.
pub(super) fn logs(view: &View) -> Value {
    view.with(|search, trouble| {
        let checks = view.background.state().checks.clone();
        let one = |(n, evidence): (usize, &Evidence)| {
            let keys = evidence.keys();
            json!({
                "origin": evidence.origin(),
                "file": view.files.get(n).map(|file| file.display().to_string()),
                "owner": evidence.owner(),
                "size": evidence.size(),
                "root": attest_core::b64::encode(evidence.root()),
                "keys": keys.to_lines(),
                "last": last(evidence),
                "cosigned": cosigned(evidence),
                "check": checks.get(n),
                "trouble": trouble.get(n),
            })
        };
        let broken: Vec<Value> =
            view.broken.iter().map(|(file, why)| json!({ "file": file.display().to_string(), "why": why })).collect();
        let logs: Vec<Value> = search.logs().enumerate().map(one).collect();
        json!({ "now": now_ms(), "version": env!("CARGO_PKG_VERSION"), "logs": logs, "broken": broken })
    })
}

/// When the last entry was made, says its owner.
fn last(evidence: &Evidence) -> Option<u64> {
    evidence.row(evidence.size().checked_sub(1)?).ok().map(|row| row.time)
}

/// The newest checkpoint that witnesses cosigned, and whose names stand under it. Their keys are nobody's here: `attest log verify --policy`.
fn cosigned(evidence: &Evidence) -> Value {
    match evidence.reader.last_cosigned() {
        Err(error) => json!({ "failed": error.to_string() }),
        Ok(None) => Value::Null,
        Ok(Some((size, note))) => {
            let names: Vec<&str> = Note::parse(note.as_bytes())
                .map(|note| note.names().filter(|name| *name != evidence.origin()).collect())
                .unwrap_or_default();
            json!({ "size": size, "names": names })
        }
    }
}

/// Changes of agents' states, the latest first.
pub(super) fn states(view: &View) -> Value {
    let state = view.background.state();
    let moments: Vec<_> = state.changes.iter().rev().collect();
    json!({ "moments": moments, "followed": state.followed, "trouble": state.trouble })
}

/// What is open, and the latest besides.
pub(super) fn alerts(view: &View) -> Result<Value, Wrong> {
    view.with(|search, _| {
        Ok(json!({ "open": open(search)?, "latest": latest(search, "alert")?, "closed": latest(search, "closed")? }))
    })
}

fn open(search: &Search) -> Result<Vec<Value>, Wrong> {
    let mut open = Vec::new();
    for (log, evidence) in search.logs().enumerate() {
        let entries = evidence.reader.open_entries().map_err(attest_forensics::ForensicsError::from)?;
        for OpenCall { index, .. } in entries.iter().rev().take(OPEN) {
            if *index >= evidence.size() || open.len() as u64 >= MOST {
                continue;
            }
            let row = evidence.row(*index)?;
            if row.kind == "alert" {
                open.push(json!({ "log": log, "row": row }));
            }
        }
    }
    Ok(open)
}

/// What waits for people beside each log that is a guard's.
pub(super) fn approvals(view: &View) -> Value {
    let mut all = Vec::new();
    for (n, place) in view.requests.iter().enumerate() {
        match open_requests(place, now()) {
            Ok(requests) => {
                all.extend(requests.iter().take(REQUESTS).map(|request| one(view, n, place, request)));
            }
            Err(error) => all.push(json!({ "log": n, "failed": error.to_string() })),
        }
    }
    json!({ "requests": all, "counted": view.trust.is_some() })
}

fn one(view: &View, n: usize, place: &Requests, request: &Request) -> Value {
    let standing = match &view.trust {
        Some(trust) => desk::standing(place, request, trust).ok(),
        None => None,
    };
    let known = standing.is_some();
    let standing = standing.unwrap_or(Standing { approved: Approved::default(), refused: false });
    let mut sections = words::whole(request, &standing).unwrap_or_default();
    // Who may approve stands in the guard's configuration: without it nothing was counted.
    sections.retain(|(heading, _)| known || *heading != "So far");
    for line in sections.iter_mut().flat_map(|(_, lines)| lines) {
        if let Some((at, _)) = line.char_indices().nth(LINE) {
            line.truncate(at);
            line.push_str(" … and more: attest approvals show");
        }
    }
    json!({
        "log": n, "id": request.id, "agent": request.agent, "server": request.audience, "tool": request.tool,
        "asked": request.asked, "expires": request.expires, "refused": known && standing.refused, "sections": sections,
    })
}
