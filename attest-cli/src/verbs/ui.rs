//! `attest ui`: what logs say, in a browser on this machine.
//!
//! The page is in the binary, and looks only. [`door`] says who comes in; [`api`] answers, in JSON, what the page asks;
//! the page shows everything as text.

mod api;
mod asked;
mod background;
mod health;
mod view;

use std::net::SocketAddr;
use std::path::PathBuf;

use http::StatusCode;
use server_verifier::Config;

use self::view::View;
use crate::Ending;
use crate::verbs::log::pins;
use crate::web::door::{self, Answer, Door, Room};

/// Shows logs in a browser: calls as they come, where each came from and what it led to, states of agents over time, alerts, what waits for
/// approval, and whether the logs are whole
///
/// Serves on this machine alone, and prints an address whose login serves once. Nothing can be changed from the page, and nothing is had from
/// elsewhere. An index is made beside each log, as `attest log search` makes it; each entry that is shown was proved against its log's own
/// checkpoint, and the logs are verified whole in the background. Give `--key` and `--trust` for whose word that is to rest on.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Logs, of verifiers, signers or audits
    #[arg(value_name = "LOG", default_value = "guard.db")]
    logs: Vec<PathBuf>,
    /// A log's key, as `attest log key` prints it, or a file with such lines. Repeat it for each key and log
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// Whose attesters, roots and approvers are believed: a guard.toml
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Serve here (port 0: any free one); an address of this machine's loopback
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(crate) fn run(args: Args) -> Ending {
    // Before an index is made.
    door::is_here(args.listen)?;
    let trust = args.trust.as_deref().map(Config::read).transpose()?.map(|config| config.trust);
    let view = View::open(&args.logs, &pins::by_name(pins::lines(&args.keys)?)?, trust)?;
    let remark = "open this address in a browser: it serves once, and whoever opens it sees all that these logs say";
    door::serve(Page(view), args.listen, remark)?;
    Ok(0)
}

struct Page(View);

/// What the page is made of.
const ASSETS: [(&str, &str, &str); 10] = [
    ("", "text/html; charset=utf-8", include_str!("ui/assets/index.html")),
    ("style.css", "text/css; charset=utf-8", include_str!("ui/assets/style.css")),
    ("app.js", SCRIPT, include_str!("ui/assets/app.js")),
    ("dom.js", SCRIPT, include_str!("ui/assets/dom.js")),
    ("rows.js", SCRIPT, include_str!("ui/assets/rows.js")),
    ("calls.js", SCRIPT, include_str!("ui/assets/calls.js")),
    ("call.js", SCRIPT, include_str!("ui/assets/call.js")),
    ("graph.js", SCRIPT, include_str!("ui/assets/graph.js")),
    ("states.js", SCRIPT, include_str!("ui/assets/states.js")),
    ("panels.js", SCRIPT, include_str!("ui/assets/panels.js")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

impl Room for Page {
    const VERB: &'static str = "ui";
    /// Scripts, looks and answers of this page alone, inside no other page; nothing that makes markup of a text.
    const POLICY: &'static str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
        base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

    fn failed(&self, _: &Door, status: StatusCode, text: &str) -> Answer {
        Answer::of(status, "text/plain; charset=utf-8", text)
    }

    fn answer(&self, door: &Door, path: &str, query: &str, _: Option<&[u8]>) -> Answer {
        if let Some((_, kind, body)) = ASSETS.iter().find(|(name, ..)| *name == path) {
            return Answer::of(StatusCode::OK, kind, *body);
        }
        match path.strip_prefix("api/").map(|what| api::answer(&self.0, what, query)) {
            Some(Ok(body)) => Answer::of(StatusCode::OK, "application/json", body),
            Some(Err(wrong)) => self.failed(door, wrong.status, &wrong.text),
            None => self.failed(door, StatusCode::NOT_FOUND, "there is nothing here"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What makes markup or code of a text is in no script.
    #[test]
    fn the_page_makes_no_markup_and_no_code_of_a_text() {
        for (name, kind, body) in ASSETS {
            if kind == SCRIPT {
                for sink in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
                    assert!(!body.contains(sink), "{name} has {sink}");
                }
            }
            let elsewhere = body.replace("http://www.w3.org/2000/svg", "");
            assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{name} names another place");
        }
    }
}
