//! `attest approvals serve`: a page for one person, who approves with the key.
//!
//! [`door`] says who comes in. Besides, each form has a token that no other page knows.

use std::net::SocketAddr;

use attest_core::digest::Digest;
use attest_keys::Key;
use http::StatusCode;

use super::desk::{Desk, Failure};
use super::{page, words};
use crate::web::door::{self, Answer, Door, Room};

struct Approvals {
    desk: Desk,
    key: Key,
    person: String,
    form: String,
}

/// Serves until the process is told to end.
pub(super) fn run(desk: Desk, key: Key, listen: SocketAddr) -> Result<(), Failure> {
    door::is_here(listen)?;
    let person = desk.person(&key)?.to_owned();
    let approvals = Approvals { desk, key, person, form: door::random()? };
    let remark = "open this address in a browser: it serves once, and whoever opens it approves with your key";
    door::serve(approvals, listen, remark)
}

impl Room for Approvals {
    const VERB: &'static str = "approvals serve";
    /// Nothing but what this page is made of, and inside no other page.
    const POLICY: &'static str =
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    const MAX_FORM: usize = 1_024;
    const OPEN: &'static [&'static str] = &["style.css"];

    fn failed(&self, door: &Door, status: StatusCode, text: &str) -> Answer {
        Answer::page(status, page::message(door.base(), text))
    }

    fn answer(&self, door: &Door, path: &str, _query: &str, form: Option<&[u8]>) -> Answer {
        let answer = match (path, form) {
            ("style.css", None) => Ok(Answer::of(StatusCode::OK, "text/css; charset=utf-8", page::STYLE)),
            ("", None) => self
                .desk
                .requests()
                .map(|requests| Answer::page(StatusCode::OK, page::list(door.base(), &self.person, &requests))),
            (path, form) => match path.strip_prefix("r/") {
                Some(rest) => self.of_request(door, rest, form),
                None => Ok(self.failed(door, StatusCode::NOT_FOUND, "there is nothing here")),
            },
        };
        answer.unwrap_or_else(|error| self.failed(door, StatusCode::CONFLICT, &words::plain(&error.to_string())))
    }
}

impl Approvals {
    fn of_request(&self, door: &Door, rest: &str, form: Option<&[u8]>) -> Result<Answer, Failure> {
        let (id, action) = rest.split_once('/').map_or((rest, None), |(id, action)| (id, Some(action)));
        // A beginning is enough for a person who types, not for a link.
        if Digest::from_b64(id).is_none() {
            return Ok(self.failed(door, StatusCode::NOT_FOUND, "there is no such request"));
        }
        let request = self.desk.find(id)?;
        let (Some(action), Some(form)) = (action, form) else {
            if action.is_some() || form.is_some() {
                return Ok(self.failed(door, StatusCode::METHOD_NOT_ALLOWED, "method not allowed"));
            }
            let standing = self.desk.standing(&request)?;
            let sections = words::whole(&request, &standing)?;
            let body = page::one(door.base(), &self.form, &request, &sections, &standing);
            return Ok(Answer::page(StatusCode::OK, body));
        };
        let token = std::str::from_utf8(form).ok().and_then(|form| form.strip_prefix("form="));
        if !token.is_some_and(|token| door::same(token, &self.form)) {
            return Ok(self.failed(door, StatusCode::FORBIDDEN, "the form is not from this page"));
        }
        match action {
            "approve" => {
                self.desk.approve(&request, &self.key)?;
                Ok(Answer::see(format!("{}r/{}", door.base(), request.id)))
            }
            "refuse" => {
                self.desk.refuse(&request)?;
                Ok(Answer::see(door.base().to_owned()))
            }
            _ => Ok(self.failed(door, StatusCode::NOT_FOUND, "there is nothing here")),
        }
    }
}
