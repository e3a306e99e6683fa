//! What the page asks, and the answers, in JSON. Each is bounded: entries by number, everything else by what one entry can hold.

use attest_forensics::trace::Trace;
use attest_forensics::{Evidence, ForensicsError, Found, Query, Search};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use super::asked::{Asked, MOST};
use super::health;
use super::view::View;
use crate::verbs::bundle::named;
use crate::verbs::delegate;

/// The longest answer. A trace may name many long tokens: then `attest trace` shows it.
const LONGEST: usize = 32 << 20;

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The status.
    pub(super) status: StatusCode,
    /// For the person.
    pub(super) text: String,
}

impl Wrong {
    /// The request is none.
    pub(super) fn asked(text: &str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text: text.to_owned() }
    }

    fn none(error: impl std::fmt::Display) -> Self {
        Self { status: StatusCode::NOT_FOUND, text: error.to_string() }
    }
}

impl From<ForensicsError> for Wrong {
    fn from(error: ForensicsError) -> Self {
        Self { status: StatusCode::CONFLICT, text: error.to_string() }
    }
}

/// Answers.
pub(super) fn answer(view: &View, what: &str, query: &str) -> Result<Vec<u8>, Wrong> {
    let asked = Asked::read(query)?;
    match what {
        "logs" => bytes(&health::logs(view)),
        "rows" => bytes(&rows(view, &asked)?),
        "trace" => bytes(&trace(view, &asked)?),
        "chain" => bytes(&chain(view, &asked)?),
        "entry" => bytes(&entry(view, &asked)?),
        "states" => bytes(&health::states(view)),
        "alerts" => bytes(&health::alerts(view)?),
        "approvals" => bytes(&health::approvals(view)),
        _ => Err(Wrong::none("there is nothing here")),
    }
}

fn bytes(value: &impl Serialize) -> Result<Vec<u8>, Wrong> {
    let failed = |text: &str| Wrong { status: StatusCode::INTERNAL_SERVER_ERROR, text: text.to_owned() };
    let bytes = serde_json::to_vec(value).map_err(|_| failed("cannot be written as JSON"))?;
    if bytes.len() > LONGEST {
        return Err(failed("the answer is too long for a page: the command line shows it"));
    }
    Ok(bytes)
}

/// One row, or why it is not shown.
pub(super) fn found(found: &Found) -> Value {
    match &found.row {
        Ok(row) => json!({ "log": found.log, "row": row }),
        Err(error) => json!({ "log": found.log, "index": found.index, "wrong": error.to_string() }),
    }
}

/// The latest first. `from` and `below` are of each log; the sizes say where the next request begins.
fn rows(view: &View, asked: &Asked) -> Result<Value, Wrong> {
    view.with(|search, trouble| {
        let call = asked.call.as_deref().map(|call| named(search, call)).transpose().map_err(Wrong::none)?;
        let query = Query { call, ..asked.query.clone() };
        let sizes: Vec<u64> = search.logs().map(Evidence::size).collect();
        let page = search.page(&query, &asked.spans(sizes.len()), asked.most())?;
        let rows: Vec<Value> = page.found.iter().map(found).collect();
        Ok(json!({ "rows": rows, "next": page.next, "more": page.more, "sizes": sizes, "trouble": trouble }))
    })
}

fn trace(view: &View, asked: &Asked) -> Result<Trace, Wrong> {
    let call = asked.call.as_deref().ok_or_else(|| Wrong::asked("which call?"))?;
    view.with(|search, _| of_call(view, search, call))
}

fn of_call(view: &View, search: &Search, call: &str) -> Result<Trace, Wrong> {
    let call = named(search, call).map_err(Wrong::none)?;
    Ok(Trace::of(&search.sources(), call, view.trust.as_ref())?)
}

/// The chain of a call in words, a text for each token, root first.
fn chain(view: &View, asked: &Asked) -> Result<Vec<String>, Wrong> {
    let trace = trace(view, asked)?;
    let hops = trace.calls.get(&trace.call).map(|traced| traced.chain.as_slice()).unwrap_or_default();
    let texts: Vec<String> = hops.iter().map(|hop| hop.text.clone()).collect();
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    delegate::words::each(&texts).map_err(Wrong::none)
}

/// One entry whole.
fn entry(view: &View, asked: &Asked) -> Result<Value, Wrong> {
    let (Some(log), Some(index)) = (asked.log, asked.index) else { return Err(Wrong::asked("which entry?")) };
    view.with(|search, _| {
        let evidence = search.logs().nth(log).ok_or_else(|| Wrong::none("there is no such log"))?;
        if index >= evidence.size() {
            return Err(Wrong::none(format!("the log has {} entries", evidence.size())));
        }
        let (row, body) = (evidence.row(index)?, evidence.entry(index)?);
        let text = String::from_utf8_lossy(&body);
        Ok(json!({ "log": log, "row": row, "text": text, "size": evidence.size() }))
    })
}

/// The entries of this kind, the latest.
pub(super) fn latest(search: &Search, kind: &str) -> Result<Vec<Value>, Wrong> {
    let query = Query { kinds: vec![kind.to_owned()], ..Query::default() };
    Ok(search.page(&query, &[], MOST)?.found.iter().map(found).collect())
}
