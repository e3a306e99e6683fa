//! A page for one person (`attest ui`, `attest approvals serve`), as a browser, or somebody who is none, asks for it.
#![allow(clippy::expect_used, clippy::panic, reason = "what goes wrong here is the end of a test, and must say where")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;

use serde_json::Value;

use crate::client::PATIENCE;
use crate::listening::Listening;

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status, 200 and so on.
    pub status: u16,
    /// Names, as they stand, and values.
    pub headers: Vec<(String, String)>,
    /// What came behind them.
    pub body: String,
}

impl Reply {
    /// The one header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut all = self.headers.iter().filter(|(is, _)| is.eq_ignore_ascii_case(name));
        let first = all.next()?;
        assert!(all.next().is_none(), "{name} stands there twice");
        Some(&first.1)
    }

    /// The body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.body))
    }
}

/// A program that serves such a page.
#[derive(Debug)]
pub struct Page {
    /// The program.
    pub program: Listening,
    /// `127.0.0.1:PORT`.
    pub host: String,
    /// The path of the page, with a slash at its end.
    pub base: String,
    /// The path of the login.
    pub login: String,
    /// What the login gave.
    pub cookie: String,
}

impl Page {
    /// Starts it, without logging in.
    pub fn start(command: Command) -> Self {
        let program = Listening::start(command);
        let (host, path) = program.url().strip_prefix("http://").and_then(|url| url.split_once('/')).expect("a URL");
        let base = path.split_once('/').expect("a login below a path").0;
        let (host, base, login) = (host.to_owned(), format!("/{base}/"), format!("/{path}"));
        Self { program, host, base, login, cookie: String::new() }
    }

    /// Starts it and logs in.
    pub fn open(command: Command) -> Self {
        let mut page = Self::start(command);
        let reply = page.raw("GET", &page.login, &[("Host", &page.host)]);
        assert_eq!((reply.status, reply.header("location")), (303, Some(&*page.base)), "{reply:?}");
        let cookie = reply.header("set-cookie").expect("a cookie");
        page.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        page
    }

    /// What stands below the page, with the cookie.
    pub fn get(&self, what: &str) -> Reply {
        self.with(what, &[])
    }

    /// The same with more headers.
    pub fn with(&self, what: &str, headers: &[(&str, &str)]) -> Reply {
        let all = [&[("Host", &*self.host), ("Cookie", &self.cookie)][..], headers].concat();
        self.raw("GET", &format!("{}{what}", self.base), &all)
    }

    /// Sends a form to what stands below the page, as the page itself does.
    pub fn post(&self, what: &str, form: &str) -> Reply {
        let (here, length) = (format!("http://{}", self.host), form.len().to_string());
        let headers = [
            ("Host", &*self.host),
            ("Cookie", &self.cookie),
            ("Origin", &here),
            ("Sec-Fetch-Site", "same-origin"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Content-Length", &length),
        ];
        self.send("POST", &format!("{}{what}", self.base), &headers, form)
    }

    /// A request with just these headers.
    pub fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send(method, path, headers, "")
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.host).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time that is not zero");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!("{method} {path} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n{body}");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let answer = String::from_utf8(answer).expect("text");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_owned(), v.to_owned()));
        Reply { status, headers: headers.collect(), body: body.to_owned() }
    }
}
