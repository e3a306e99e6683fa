//! `attest approvals serve`: a page for one person, on this machine alone.
//!
//! Whoever can send requests with the page's cookie approves with the key, so the cookie is what all of it guards. The login is a secret
//! that serves once. A browser sends cookies to every port of a machine, so the page lies below a random path and the cookie is for that
//! path: another server here is not shown it. A page elsewhere has neither the form's token nor this origin, and a name that was pointed
//! at this address is not this host.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::b64;
use attest_core::digest::Digest;
use attest_keys::Key;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use mcp_relay::http::{Handler, Limits, Listener, Response};

use super::desk::{Desk, Failure};
use super::{page, words};
use crate::{output, web};

/// Longest form.
const MAX_FORM: usize = 1_024;
/// How long a form may take.
const FORM_TIME: Duration = Duration::from_secs(10);
/// One person and a browser.
const CONNECTIONS: usize = 32;
/// Nothing but what this page is made of, and inside no other page.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// The cookie's name.
const COOKIE: &str = "attest";

#[derive(Clone)]
struct Page(Arc<Held>);

struct Held {
    desk: Desk,
    key: Key,
    person: String,
    /// `127.0.0.1:PORT`.
    host: String,
    /// `/<random>/`.
    base: String,
    /// Gone once it was used.
    login: Mutex<Option<String>>,
    cookie: String,
    form: String,
}

/// What goes back.
struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: String,
    more: Vec<(HeaderName, String)>,
}

impl Answer {
    fn page(status: StatusCode, body: String) -> Self {
        Self { status, kind: "text/html; charset=utf-8", body, more: Vec::new() }
    }

    fn see(place: String) -> Self {
        let more = vec![(header::LOCATION, place)];
        Self { more, ..Self::page(StatusCode::SEE_OTHER, String::new()) }
    }
}

/// Serves until the process is told to end.
pub(super) fn run(desk: Desk, key: Key, listen: SocketAddr) -> Result<(), Failure> {
    if !listen.ip().is_loopback() {
        return Err(format!("{listen} is not this machine alone: serve on 127.0.0.1 or [::1]").into());
    }
    let person = desk.person(&key)?.to_owned();
    let [place, login, cookie, form] = [random()?, random()?, random()?, random()?];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let bound = Listener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let (host, base) = (bound.address()?.to_string(), format!("/{place}/"));
        let stop = web::stop()?;
        output::line(format_args!("http://{host}{base}login?{login}"));
        output::remark("open this address in a browser: it serves once, and whoever opens it approves with your key");
        let limits = Limits { connections: CONNECTIONS, head: 16 << 10, ..Limits::default() };
        let login = Mutex::new(Some(login));
        let held = Held { desk, key, person, host, base, login, cookie, form };
        bound.serve(Page(Arc::new(held)), &limits, stop).await;
        Ok(())
    })
}

fn random() -> Result<String, Failure> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok(b64::encode(bits))
}

/// By their digests, so that the time it takes says nothing.
fn same(one: &str, other: &str) -> bool {
    Digest::of(one) == Digest::of(other)
}

impl Handler for Page {
    async fn handle(&self, request: Request<Incoming>) -> Response {
        let (head, body) = request.into_parts();
        let posted = head.method == Method::POST;
        // Before the body is read.
        if let Err(answer) = self.0.admits(&head) {
            return respond(answer);
        }
        let form = if posted {
            match tokio::time::timeout(FORM_TIME, Limited::new(body, MAX_FORM).collect()).await {
                Ok(Ok(body)) => Some(body.to_bytes()),
                _ => return respond(self.0.failed(StatusCode::BAD_REQUEST, "the form did not come whole")),
            }
        } else {
            None
        };
        let held = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || held.answer(&head, form.as_deref())).await;
        let broken = || self.0.failed(StatusCode::INTERNAL_SERVER_ERROR, "failed from within");
        respond(answer.unwrap_or_else(|_| broken()))
    }
}

impl Held {
    fn failed(&self, status: StatusCode, text: &str) -> Answer {
        Answer::page(status, page::message(&self.base, text))
    }

    /// Whether the request is for this page, from this page or from nowhere, and by whom has the login.
    fn admits(&self, head: &http::request::Parts) -> Result<(), Answer> {
        let refused = |text| Err(self.failed(StatusCode::FORBIDDEN, text));
        let named = |name: HeaderName| only(&head.headers, &name);
        let host = [head.uri.authority().map(|name| name.as_str()), named(header::HOST)];
        if host.iter().all(Option::is_none) || host.into_iter().flatten().any(|name| name != self.host) {
            return refused("this page has another name");
        }
        let posted = match head.method {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return Err(self.failed(StatusCode::METHOD_NOT_ALLOWED, "method not allowed")),
        };
        if posted && named(header::ORIGIN) != Some(&format!("http://{}", self.host)) {
            return refused("the form is not from this page");
        }
        // Not every browser sends it; none sends another's.
        let site = named(HeaderName::from_static("sec-fetch-site"));
        let here = |site: &str| site == "same-origin" || (!posted && site == "none");
        if site.is_some_and(|site| !here(site)) {
            return refused("another page asked for this");
        }
        let path = head.uri.path().strip_prefix(&self.base);
        let Some(path) = path else { return Err(self.failed(StatusCode::NOT_FOUND, "there is nothing here")) };
        let open = !posted && ["login", "style.css"].contains(&path);
        if !open && !self.knows(&head.headers) {
            return refused("log in with the address that `attest approvals serve` printed; it serves once");
        }
        Ok(())
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split("; ")).filter_map(|pair| pair.split_once('='));
        pairs.any(|(name, value)| name == COOKIE && same(value, &self.cookie))
    }

    fn answer(&self, head: &http::request::Parts, form: Option<&[u8]>) -> Answer {
        let path = head.uri.path().strip_prefix(&self.base).unwrap_or_default();
        let answer = match (path, form) {
            ("login", None) => Ok(self.login(head.uri.query().unwrap_or_default())),
            ("style.css", None) => {
                Ok(Answer { kind: "text/css; charset=utf-8", ..Answer::page(StatusCode::OK, page::STYLE.to_owned()) })
            }
            ("", None) => self
                .desk
                .requests()
                .map(|requests| Answer::page(StatusCode::OK, page::list(&self.base, &self.person, &requests))),
            (path, form) => match path.strip_prefix("r/") {
                Some(rest) => self.of_request(rest, form),
                None => Ok(self.failed(StatusCode::NOT_FOUND, "there is nothing here")),
            },
        };
        answer.unwrap_or_else(|error| self.failed(StatusCode::CONFLICT, &words::plain(&error.to_string())))
    }

    fn login(&self, secret: &str) -> Answer {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if !login.as_deref().is_some_and(|login| same(login, secret)) {
            return self.failed(StatusCode::FORBIDDEN, "this login was used, or is none: start the page again");
        }
        *login = None;
        let cookie = format!("{COOKIE}={}; Path={}; HttpOnly; SameSite=Strict", self.cookie, self.base);
        let mut answer = Answer::see(self.base.clone());
        answer.more.push((header::SET_COOKIE, cookie));
        answer
    }

    fn of_request(&self, rest: &str, form: Option<&[u8]>) -> Result<Answer, Failure> {
        let (id, action) = rest.split_once('/').map_or((rest, None), |(id, action)| (id, Some(action)));
        // A beginning is enough for a person who types, not for a link.
        if Digest::from_b64(id).is_none() {
            return Ok(self.failed(StatusCode::NOT_FOUND, "there is no such request"));
        }
        let request = self.desk.find(id)?;
        let (Some(action), Some(form)) = (action, form) else {
            if action.is_some() || form.is_some() {
                return Ok(self.failed(StatusCode::METHOD_NOT_ALLOWED, "method not allowed"));
            }
            let standing = self.desk.standing(&request)?;
            let sections = words::whole(&request, &standing)?;
            let body = page::one(&self.base, &self.form, &request, &sections, &standing);
            return Ok(Answer::page(StatusCode::OK, body));
        };
        let token = std::str::from_utf8(form).ok().and_then(|form| form.strip_prefix("form="));
        if !token.is_some_and(|token| same(token, &self.form)) {
            return Ok(self.failed(StatusCode::FORBIDDEN, "the form is not from this page"));
        }
        match action {
            "approve" => {
                self.desk.approve(&request, &self.key)?;
                Ok(Answer::see(format!("{}r/{}", self.base, request.id)))
            }
            "refuse" => {
                self.desk.refuse(&request)?;
                Ok(Answer::see(self.base.clone()))
            }
            _ => Ok(self.failed(StatusCode::NOT_FOUND, "there is nothing here")),
        }
    }
}

/// A header that stands there once; a second one makes it nothing that equals anything.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

fn respond(answer: Answer) -> Response {
    let body = Full::new(Bytes::from(answer.body)).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let fixed = [
        (header::CONTENT_TYPE, answer.kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        // With `no-referrer` a form would come from no origin at all.
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    let more = answer.more.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    headers.extend(more);
    response
}
