//! What a request of the page asks for.

use attest_core::digest::Digest;
use attest_forensics::Query;

use super::api::Wrong;
use crate::verbs::log::search::moment;

/// Entries of one answer, at most.
pub(super) const MOST: u64 = 200;

/// The parameters of any request.
#[derive(Default)]
pub(super) struct Asked {
    /// The filters.
    pub(super) query: Query,
    /// For each log, the index that the page is below.
    pub(super) below: Vec<u64>,
    /// For each log, the index that is looked at first.
    pub(super) from: Vec<u64>,
    /// How many.
    pub(super) most: Option<u64>,
    /// A call, or its beginning.
    pub(super) call: Option<String>,
    /// A log, by its place.
    pub(super) log: Option<usize>,
    /// An entry of it.
    pub(super) index: Option<u64>,
}

impl Asked {
    /// Reads them. One that is not known is no filter that was left out: it is refused, as a second one of a name is.
    pub(super) fn read(query: &str) -> Result<Self, Wrong> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            if value.trim().is_empty() {
                continue;
            }
            let to = &mut asked.query;
            let text = Some(value.clone().into_owned());
            let free = match &*name {
                "type" => {
                    to.kinds.push(value.into_owned());
                    true
                }
                "agent" => to.agent.replace(value.into_owned()).is_none(),
                "server" => to.server.replace(value.into_owned()).is_none(),
                "tool" => to.tool.replace(value.into_owned()).is_none(),
                "verdict" => to.verdict.replace(value.into_owned()).is_none(),
                "reason" => to.reason.replace(value.into_owned()).is_none(),
                "label" => to.label.replace(value.into_owned()).is_none(),
                "destination" => to.destination.replace(value.to_lowercase()).is_none(),
                "text" => to.text.replace(value.into_owned()).is_none(),
                "since" => to.since.replace(time(&value)?).is_none(),
                "until" => to.until.replace(time(&value)?).is_none(),
                "commitment" => {
                    let digest = Digest::from_b64(&value)
                        .ok_or_else(|| Wrong::asked("commitment: 43 characters of base64url"))?;
                    to.commitment.replace(digest).is_none()
                }
                "call" => std::mem::replace(&mut asked.call, text).is_none(),
                "below" => std::mem::replace(&mut asked.below, indexes(&value)?).is_empty(),
                "from" => std::mem::replace(&mut asked.from, indexes(&value)?).is_empty(),
                "most" => asked.most.replace(number(&value)?).is_none(),
                "log" => {
                    let log = usize::try_from(number(&value)?).map_err(|_| Wrong::asked("log: a small number"))?;
                    asked.log.replace(log).is_none()
                }
                "index" => asked.index.replace(number(&value)?).is_none(),
                _ => return Err(Wrong::asked("there is no such filter")),
            };
            if !free {
                return Err(Wrong::asked("the same filter twice"));
            }
        }
        Ok(asked)
    }

    /// For each of `logs` logs, which entries.
    pub(super) fn spans(&self, logs: usize) -> Vec<(u64, u64)> {
        let at = |list: &[u64], n: usize, or| list.get(n).copied().unwrap_or(or);
        (0..logs).map(|n| (at(&self.from, n, 0), at(&self.below, n, u64::MAX))).collect()
    }

    /// How many.
    pub(super) fn most(&self) -> u64 {
        self.most.unwrap_or(MOST).clamp(1, MOST)
    }
}

fn time(text: &str) -> Result<u64, Wrong> {
    moment(text.trim()).map_err(|error| Wrong::asked(&error))
}

fn number(text: &str) -> Result<u64, Wrong> {
    text.parse().map_err(|_| Wrong::asked("a number"))
}

fn indexes(text: &str) -> Result<Vec<u64>, Wrong> {
    text.split(',').map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_is_not_known_or_stands_twice_is_not_left_out() {
        assert!(Asked::read("agent=a&tool=b&since=2h&type=call&type=alert&below=1,2").is_ok());
        for wrong in ["agents=a", "agent=a&agent=b", "since=yesterday", "below=1,x", "most=-1", "commitment=x"] {
            assert!(Asked::read(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Asked::read("agent=&text=+").unwrap().query, Query::default(), "an empty field asks for nothing");
    }
}
