//! Pages for one person, on this machine alone.
//!
//! Whoever can send requests with the page's cookie is that person, so the cookie is what all of it guards. The login is a secret
//! that serves once. A browser sends cookies to every port of a machine, so the page lies below a random path and the cookie is for that
//! path: another server here is not shown it. A page elsewhere has not this origin, and a name that was pointed at this address is not
//! this host.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use attest_core::b64;
use attest_core::digest::Digest;
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use mcp_relay::http::{Handler, Limits, Listener, Response};

use super::stop;
use crate::output;

type Failure = Box<dyn std::error::Error>;

/// How long a form may take.
const FORM_TIME: Duration = Duration::from_secs(10);
/// One person and a browser.
const CONNECTIONS: usize = 32;
/// The cookie's name.
const COOKIE: &str = "attest";

/// What is behind the door.
pub(crate) trait Room: Send + Sync + 'static {
    /// The verb that prints the login.
    const VERB: &'static str;
    /// Its Content-Security-Policy.
    const POLICY: &'static str;
    /// Longest form that it takes; with 0 it is only looked at.
    const MAX_FORM: usize = 0;
    /// What is shown before the login, besides the login.
    const OPEN: &'static [&'static str] = &[];

    /// The page that says why there is no other.
    fn failed(&self, door: &Door, status: StatusCode, text: &str) -> Answer;

    /// The answer to somebody who has the login. It may block.
    fn answer(&self, door: &Door, path: &str, query: &str, form: Option<&[u8]>) -> Answer;
}

/// What goes back.
pub(crate) struct Answer {
    status: StatusCode,
    kind: &'static str,
    body: Vec<u8>,
    more: Vec<(HeaderName, String)>,
}

impl Answer {
    /// A document of this type.
    pub(crate) fn of(status: StatusCode, kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, kind, body: body.into(), more: Vec::new() }
    }

    /// A page.
    pub(crate) fn page(status: StatusCode, body: impl Into<Vec<u8>>) -> Self {
        Self::of(status, "text/html; charset=utf-8", body)
    }

    /// Sends the browser elsewhere.
    pub(crate) fn see(place: String) -> Self {
        let more = vec![(header::LOCATION, place)];
        Self { more, ..Self::page(StatusCode::SEE_OTHER, "") }
    }
}

/// Who may come in.
pub(crate) struct Door {
    /// `127.0.0.1:PORT`.
    host: String,
    /// `/<random>/`.
    base: String,
    /// Gone once it was used.
    login: Mutex<Option<String>>,
    cookie: String,
}

struct Served<R>(Arc<(Door, R)>);

impl<R> Clone for Served<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// That an address is of this machine alone.
pub(crate) fn is_here(listen: SocketAddr) -> Result<(), Failure> {
    if listen.ip().is_loopback() {
        return Ok(());
    }
    Err(format!("{listen} is not this machine alone: serve on 127.0.0.1 or [::1]").into())
}

/// Prints the login, and serves until the process is told to end. `remark` says what the login is worth.
pub(crate) fn serve<R: Room>(room: R, listen: SocketAddr, remark: &str) -> Result<(), Failure> {
    is_here(listen)?;
    let [place, login, cookie] = [random()?, random()?, random()?];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let bound = Listener::bind(listen).await.map_err(|error| format!("cannot listen on {listen}: {error}"))?;
        let (host, base) = (bound.address()?.to_string(), format!("/{place}/"));
        let stop = stop()?;
        output::line(format_args!("http://{host}{base}login?{login}"));
        output::remark(remark);
        let limits = Limits { connections: CONNECTIONS, head: 16 << 10, ..Limits::default() };
        let door = Door { host, base, login: Mutex::new(Some(login)), cookie };
        bound.serve(Served(Arc::new((door, room))), &limits, stop).await;
        Ok(())
    })
}

/// 256 bits that nobody guesses.
pub(crate) fn random() -> Result<String, Failure> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits)?;
    Ok(b64::encode(bits))
}

/// By their digests, so that the time it takes says nothing.
pub(crate) fn same(one: &str, other: &str) -> bool {
    Digest::of(one) == Digest::of(other)
}

impl<R: Room> Handler for Served<R> {
    async fn handle(&self, request: Request<Incoming>) -> Response {
        let (head, body) = request.into_parts();
        let (door, room) = &*self.0;
        let failed = |status, text: &str| respond(room.failed(door, status, text), R::POLICY);
        // Before the body is read.
        if let Err((status, text)) = door.admits::<R>(&head) {
            return failed(status, &text);
        }
        let form = if head.method == Method::POST {
            match tokio::time::timeout(FORM_TIME, Limited::new(body, R::MAX_FORM).collect()).await {
                Ok(Ok(body)) => Some(body.to_bytes()),
                _ => return failed(StatusCode::BAD_REQUEST, "the form did not come whole"),
            }
        } else {
            None
        };
        let served = Arc::clone(&self.0);
        let answer = tokio::task::spawn_blocking(move || {
            let (door, room) = &*served;
            let path = head.uri.path().strip_prefix(&door.base).unwrap_or_default();
            let query = head.uri.query().unwrap_or_default();
            if path == "login" && form.is_none() {
                return door.login(query).unwrap_or_else(|| {
                    let text = "this login was used, or is none: start the page again";
                    room.failed(door, StatusCode::FORBIDDEN, text)
                });
            }
            room.answer(door, path, query, form.as_deref())
        });
        match answer.await {
            Ok(answer) => respond(answer, R::POLICY),
            Err(_) => failed(StatusCode::INTERNAL_SERVER_ERROR, "failed from within"),
        }
    }
}

impl Door {
    /// The path of the page, with a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the request is for this page, from this page or from nowhere, and by whom has the login.
    fn admits<R: Room>(&self, head: &http::request::Parts) -> Result<(), (StatusCode, String)> {
        let refused = |text: &str| Err((StatusCode::FORBIDDEN, text.to_owned()));
        let named = |name: HeaderName| only(&head.headers, &name);
        let host = [head.uri.authority().map(|name| name.as_str()), named(header::HOST)];
        if host.iter().all(Option::is_none) || host.into_iter().flatten().any(|name| name != self.host) {
            return refused("this page has another name");
        }
        let posted = match head.method {
            Method::GET | Method::HEAD => false,
            Method::POST if R::MAX_FORM > 0 => true,
            _ => return Err((StatusCode::METHOD_NOT_ALLOWED, "method not allowed".to_owned())),
        };
        let origin = named(header::ORIGIN);
        let ours = origin == Some(&format!("http://{}", self.host));
        // A form always says where it is from; of what is only looked at, a browser says it of another page.
        if !ours && (posted || origin.is_some()) {
            return refused(if posted { "the form is not from this page" } else { "another page asked for this" });
        }
        // Not every browser sends it; none sends another's.
        let site = named(HeaderName::from_static("sec-fetch-site"));
        let here = |site: &str| site == "same-origin" || (!posted && site == "none");
        if site.is_some_and(|site| !here(site)) {
            return refused("another page asked for this");
        }
        let path = head.uri.path().strip_prefix(&self.base);
        let Some(path) = path else { return Err((StatusCode::NOT_FOUND, "there is nothing here".to_owned())) };
        let open = !posted && (path == "login" || R::OPEN.contains(&path));
        if !open && !self.knows(&head.headers) {
            return refused(&format!("log in with the address that `attest {}` printed; it serves once", R::VERB));
        }
        Ok(())
    }

    fn knows(&self, headers: &HeaderMap) -> bool {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
        let mut pairs = cookies.flat_map(|cookies| cookies.split("; ")).filter_map(|pair| pair.split_once('='));
        pairs.any(|(name, value)| name == COOKIE && same(value, &self.cookie))
    }

    fn login(&self, secret: &str) -> Option<Answer> {
        let mut login = self.login.lock().unwrap_or_else(PoisonError::into_inner);
        if !login.as_deref().is_some_and(|login| same(login, secret)) {
            return None;
        }
        *login = None;
        let cookie = format!("{COOKIE}={}; Path={}; HttpOnly; SameSite=Strict", self.cookie, self.base);
        let mut answer = Answer::see(self.base.clone());
        answer.more.push((header::SET_COOKIE, cookie));
        Some(answer)
    }
}

/// A header that stands there once; a second one makes it nothing that equals anything.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    Some(if values.next().is_some() { "" } else { first.to_str().unwrap_or_default() })
}

fn respond(answer: Answer, policy: &'static str) -> Response {
    let body = Full::new(Bytes::from(answer.body)).map_err(|never: Infallible| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    let fixed = [
        (header::CONTENT_TYPE, answer.kind),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, policy),
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
