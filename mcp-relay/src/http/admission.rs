//! Which requests are for us: by their address, the names in them, and their size.

use http::header::{HOST, HeaderMap, HeaderValue, ORIGIN};
use http::request::Parts;
use http::{Method, StatusCode, Uri};

use super::{Limits, Response, answer};
use crate::Defect;

/// What of a server is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Every path: a router in front has chosen.
    Any,
    /// The MCP endpoint, and for reading what stands under `/.well-known/` (RFC 9728 puts there who grants access).
    Path(String),
}

/// By which names callers must know us. A page in somebody's browser can reach whatever that browser reaches, but not under
/// a name of its own choice that is also ours (DNS rebinding; MCP asks servers to look at `Origin`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callers {
    /// By any: the server behind looks at `Host` and `Origin` itself.
    Anybody,
    /// By these host names, in lower case, in `Host`, and in `Origin` where there is one. Ports do not matter.
    Knowing(Vec<String>),
}

impl Callers {
    /// Programs of this machine.
    pub fn of_this_machine() -> Self {
        Self::Knowing(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).into())
    }

    /// Whether the names in `headers` are among ours.
    pub fn admit(&self, headers: &HeaderMap) -> bool {
        let Self::Knowing(names) = self else { return true };
        let is_ours = |value: &HeaderValue| {
            let uri = value.to_str().ok().and_then(|text| text.parse::<Uri>().ok());
            let host = uri.as_ref().and_then(Uri::host).map(str::to_ascii_lowercase);
            host.is_some_and(|host| names.contains(&host))
        };
        headers.get(HOST).is_some_and(is_ours) && headers.get_all(ORIGIN).iter().all(is_ours)
    }
}

/// Why a request is not for us.
pub(super) enum NotAdmitted {
    /// It is malformed, which whoever sees the messages answers.
    Defect(Defect),
    /// Another address than ours, another name, more than the limits: answered so.
    Answer(Box<Response>),
}

impl From<Defect> for NotAdmitted {
    fn from(defect: Defect) -> Self {
        Self::Defect(defect)
    }
}

impl From<Response> for NotAdmitted {
    fn from(answer: Response) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// Whether a request is for us at all, by its head as it came. Afterwards `Host` names the host, over HTTP/2 too.
pub(super) fn admit(
    head: &mut Parts,
    endpoint: &Endpoint,
    callers: &Callers,
    limits: &Limits,
) -> Result<(), NotAdmitted> {
    let authority = head.uri.authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    match (authority, head.version) {
        (None, _) => {}
        // HTTP/2 and later name the host there, and nowhere else.
        (Some(Ok(host)), http::Version::HTTP_2 | http::Version::HTTP_3) => {
            // A `Host` beside it that says something else is malformed (RFC 9113, section 8.3.1).
            if *head.headers.entry(HOST).or_insert_with(|| host.clone()) != host {
                return Err(Defect::Http.into());
            }
        }
        // A target in absolute form is for forward proxies, and says a second time which host is meant.
        _ => return Err(Defect::Http.into()),
    }
    if head.headers.get_all(HOST).iter().count() > 1 {
        return Err(Defect::Http.into());
    }
    // hyper does not count fields over HTTP/2, and over HTTP/1 takes nearly twice the bytes if they come at once.
    let fields = head.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    let target = head.uri.path_and_query().map_or(0, |target| target.as_str().len());
    if head.headers.len() > limits.headers || target + fields.sum::<usize>() > limits.head {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(answer::failure(status, "more header fields than the limit, or longer ones").into());
    }
    if let Endpoint::Path(endpoint) = endpoint {
        let path = head.uri.path();
        let known = (head.method == Method::GET || head.method == Method::OPTIONS) && is_well_known(path);
        if path != endpoint && !known {
            return Err(answer::failure(StatusCode::NOT_FOUND, "no MCP endpoint at this path").into());
        }
    }
    if !callers.admit(&head.headers) {
        return Err(answer::failure(StatusCode::FORBIDDEN, "Host or Origin names another machine than this").into());
    }
    match head.method {
        Method::POST | Method::GET | Method::HEAD | Method::OPTIONS | Method::DELETE => Ok(()),
        _ => Err(answer::empty(StatusCode::METHOD_NOT_ALLOWED).into()),
    }
}

/// Whether `path` is beside the endpoint, for whoever reads it: no way to write `..` in it, also as `%2e%2e`, or by a
/// backslash, which readers of URLs (WHATWG) take for a slash.
pub(super) fn is_well_known(path: &str) -> bool {
    path.starts_with("/.well-known/") && !path.contains("..") && !path.contains(['%', '\\'])
}
