//! `attest ui`: a real process, asked as a browser asks, and as others might.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout, reason = "tests")]

#[path = "ui/browser.rs"]
mod browser;
#[path = "flow/company.rs"]
#[allow(dead_code, reason = "shared with the tests of flow")]
mod company;
#[path = "ui/made.rs"]
mod made;
#[path = "ui/million.rs"]
mod million;

use std::process::Command;

use attest_tests::binaries::attest;
use attest_tests::client::text;
use attest_tests::page::Page;
use company::Company;
use made::Made;
use serde_json::{Value, json};

const CFO: &str = "cfo@example.org";
const LOGS: [&str; 5] = ["a.db", "b.db", "finance.db", "assistant.db", "mail.db"];
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

/// The path of a log's page, whatever it is made of.
fn pages() -> Vec<&'static str> {
    vec!["", "style.css", "app.js", "api/logs", "api/rows", "api/states", "api/alerts", "api/approvals", "api/trace"]
}

#[test]
fn without_the_login_there_is_nothing_and_the_login_serves_once() {
    let made = Made::new("log", 3);
    let page = Page::start(made.ui());
    let host = ("Host", &*page.host);
    for what in pages() {
        let path = format!("{}{what}", page.base);
        let denied = page.raw("GET", &path, &[host]);
        assert_eq!(denied.status, 403, "{what} without a cookie: {}", denied.body);
        assert_eq!(page.raw("GET", &path, &[host, ("Cookie", "attest=AAAA")]).status, 403, "{what} with another");
        assert!(!denied.body.contains("log") || denied.body.starts_with("log in with"), "{}", denied.body);
    }
    let beside = page.raw("GET", &format!("{}login?AAAA", page.base), &[host]);
    assert_eq!((beside.status, beside.header("set-cookie")), (403, None));
    let first = page.raw("GET", &page.login, &[host]);
    assert_eq!(first.status, 303);
    let cookie = first.header("set-cookie").unwrap();
    assert!(cookie.ends_with(&format!("; Path={}; HttpOnly; SameSite=Strict", page.base)), "{cookie}");
    let second = page.raw("GET", &page.login, &[host]);
    assert_eq!((second.status, second.header("set-cookie")), (403, None), "it serves once");
    let cookie = ("Cookie", cookie.split(';').next().unwrap());
    assert_eq!(page.raw("GET", &page.base, &[host, cookie]).status, 200);
    assert_eq!(page.raw("GET", "/", &[host, cookie]).status, 404, "nothing lies where a name can be guessed");
    assert_eq!(page.raw("POST", &page.base, &[host, cookie, ("Content-Length", "0")]).status, 405, "it looks only");
}

#[test]
fn a_page_elsewhere_and_a_name_that_points_here_get_nothing() {
    let made = Made::new("log", 3);
    let page = Page::open(made.ui());
    let (path, cookie) = (format!("{}api/rows", page.base), ("Cookie", &*page.cookie));
    let here = format!("http://{}", page.host);
    let port = page.host.rsplit_once(':').unwrap().1;
    for host in [format!("evil.example:{port}"), format!("localhost:{port}"), "127.0.0.1".to_owned(), String::new()] {
        assert_eq!(page.raw("GET", &path, &[("Host", &host), cookie]).status, 403, "as {host:?}");
    }
    let twice = page.raw("GET", &path, &[("Host", &page.host), ("Host", "evil.example"), cookie]);
    assert!([400, 403].contains(&twice.status), "{twice:?}");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", &format!("https://{}", page.host)] {
        assert_eq!(page.with("api/rows", &[("Origin", origin)]).status, 403, "from {origin}");
    }
    for site in ["cross-site", "same-site", "else"] {
        assert_eq!(page.with("api/rows", &[("Sec-Fetch-Site", site)]).status, 403, "{site}");
    }
    let own = [("Origin", &*here), ("Sec-Fetch-Site", "same-origin")];
    assert_eq!(page.with("api/rows", &own).status, 200, "and the page itself does");

    let elsewhere = made.attest(&["ui", "log", "--listen", "0.0.0.0:0"]).output().unwrap();
    let said = String::from_utf8(elsewhere.stderr).unwrap();
    assert!(!elsewhere.status.success() && said.contains("not this machine alone"), "{said}");
}

#[test]
fn every_answer_says_that_it_is_made_of_nothing_from_elsewhere() {
    let made = Made::new("log", 3);
    let page = Page::open(made.ui());
    for what in pages().into_iter().chain(["nothing", "api/nothing", "api/rows?agents=x", "login?x"]) {
        let reply = page.get(what);
        assert_eq!(reply.header("content-security-policy"), Some(POLICY), "{what}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{what}");
        }
        let text = reply.header("content-type").unwrap();
        assert!(!text.starts_with("text/html") || what.is_empty(), "{what}: answers are no pages");
    }
}

#[test]
fn rows_come_in_pages_newest_first_and_what_is_new_comes_alone() {
    let made = Made::new("log", 450);
    let other = made.more("other", 30);
    let page = Page::open(made.attest(&["ui", "log", "other"]));
    let indexes = |answer: &Value, log: u64| -> Vec<u64> {
        let rows = answer["rows"].as_array().unwrap().iter().filter(|found| found["log"] == log);
        rows.map(|found| found["row"]["index"].as_u64().unwrap()).collect()
    };
    let (mut seen, mut below) = ([Vec::new(), Vec::new()], String::new());
    loop {
        let answer = page.get(&format!("api/rows?most=100&below={below}")).json();
        assert!(answer["rows"].as_array().unwrap().len() <= 100);
        (0..2).for_each(|log| seen[log].extend(indexes(&answer, log as u64)));
        if answer["more"] == false {
            break;
        }
        below = answer["next"].as_array().unwrap().iter().map(Value::to_string).collect::<Vec<_>>().join(",");
    }
    assert_eq!(seen, [(0..450).rev().collect::<Vec<_>>(), (0..30).rev().collect()], "each once, none left out");
    assert_eq!(page.get("api/rows?most=1000000").json()["rows"].as_array().unwrap().len(), 200, "bounded");

    let sizes = page.get("api/rows?most=1").json()["sizes"].clone();
    assert_eq!(sizes, json!([450, 30]));
    other.append(5);
    std::thread::sleep(std::time::Duration::from_millis(400));
    let news = page.get("api/rows?from=450,30").json();
    assert_eq!((indexes(&news, 0), indexes(&news, 1)), (vec![], (30..35).rev().collect()));
    assert_eq!(page.get("api/rows?tool=tool-1&from=450,30").json()["rows"].as_array().unwrap().len(), 0, "filtered");
    for wrong in ["api/rows?agents=a", "api/rows?agent=a&agent=b", "api/rows?since=x", "api/entry?log=0", "api/trace"] {
        assert_eq!(page.get(wrong).status, 400, "{wrong}");
    }
    for none in ["api/entry?log=7&index=0", "api/entry?log=0&index=450", "api/trace?call=AAAAAAAA"] {
        assert_eq!(page.get(none).status, 404, "{none}");
    }
}

#[test]
fn what_is_not_in_the_tree_is_not_shown_and_does_not_hide_the_rest() {
    // More than a tile of the tree: of entries in a tile that is not full, nobody can tell which is the wrong one.
    let made = Made::new("log", 260);
    made.more("cut", 20);
    made.more("other", 4);
    made.sql(
        "log",
        "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), 'refused', 'welcome') AS BLOB) WHERE idx = 100",
    );
    made.sql("cut", "UPDATE state SET checkpoint = replace(checkpoint, 'cut', 'tuc')");
    let page = Page::open(made.attest(&["ui", "log", "cut", "other"]));
    let answer = page.get("api/rows").json();
    let rows = answer["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 200, "the newest of both");
    let wrong: Vec<&Value> = rows.iter().filter(|found| found["wrong"].is_string()).collect();
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    assert_eq!((&wrong[0]["index"], &wrong[0]["row"]), (&json!(100), &Value::Null), "nothing of it is shown");
    assert_eq!(page.get("api/entry?log=0&index=100").status, 409);
    let logs = page.get("api/logs").json();
    assert_eq!(logs["logs"].as_array().unwrap().len(), 2);
    assert_eq!(logs["broken"][0]["file"], "cut", "{logs}");
}

#[test]
fn a_call_is_traced_as_on_the_command_line_and_appears_while_one_looks() {
    let company = Company::new("honest");
    company.grant_jointly(CFO);
    let mut host = company.host_of_a();
    host.finance.call("read_report", json!({}));
    let refused = host.assistant.call("ask", json!({"to": "stranger@example.net", "body": "revenue: 7"}));
    assert_eq!(text(&refused), "arguments-not-granted");
    let key = String::from_utf8(company.attest(&["log", "key", "mail.db"]).output().unwrap().stdout).unwrap();
    let page =
        Page::open(company.attest(&[&["ui"][..], &LOGS, &["--trust", "mail.toml", "--key", key.trim()]].concat()));
    let before = page.get("api/rows?tool=send&type=decision&verdict=allow").json();
    assert_eq!(before["rows"].as_array().unwrap().len(), 0);
    assert_eq!(text(&host.assistant.call("ask", json!({"to": CFO, "body": "revenue: 7"}))), "done");
    host.end();
    for config in ["a.toml", "b.toml"] {
        company.stop_signer(config);
    }
    std::thread::sleep(std::time::Duration::from_millis(400));
    let after = page.get("api/rows?tool=send&type=decision&agent=b&label=financial&verdict=allow").json();
    assert_eq!(after["rows"].as_array().unwrap().len(), 1, "{after}");
    let call = after["rows"][0]["row"]["call"].as_str().unwrap();
    let traced = page.get(&format!("api/trace?call={call}")).body;
    let (_, said) = company.run(&[&["trace", call, "--json", "--trust", "mail.toml"][..], &LOGS].concat());
    assert_eq!(traced.trim(), said.trim(), "byte for byte");
    let chain = page.get(&format!("api/chain?call={call}")).json();
    assert_eq!(chain.as_array().unwrap().len(), 2, "a token each, in words: {chain}");

    let mut states = Value::Null;
    for _ in 0..100 {
        states = page.get("api/states").json();
        if states["followed"] == true && states["moments"].as_array().unwrap().len() >= 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let agents: std::collections::BTreeSet<&str> =
        states["moments"].as_array().unwrap().iter().map(|moment| moment["row"]["agent"].as_str().unwrap()).collect();
    assert_eq!(agents, ["a", "b"].into(), "{states}");
    let logs = page.get("api/logs").json();
    let pinned: Vec<bool> =
        logs["logs"].as_array().unwrap().iter().map(|log| log["check"]["pinned"].as_bool().unwrap()).collect();
    assert_eq!(pinned, [false, false, false, false, true], "the key given is of that log alone");
    assert_eq!(verified(&page, 0)["verdict"], "not pinned");
    assert_eq!(verified(&page, 4)["verdict"], "whole", "{}", verified(&page, 4));
    assert_eq!(logs["logs"][0]["owner"], "a");

    let shown = browser::dom(company.attest(&[&["ui"][..], &LOGS].concat()), &format!("call={call}"));
    if let Some(shown) = shown {
        assert!(shown.contains("<svg") && shown.contains("read_report") && shown.contains("It came of"), "{shown}");
    }

    // Somebody who can write the file makes another recipient of it.
    let file = rusqlite::Connection::open(company.path("mail.db")).unwrap();
    let statement = "UPDATE entry SET body = CAST(replace(CAST(body AS TEXT), '\"send\"', '\"read\"') AS BLOB) \
        WHERE CAST(body AS TEXT) LIKE '%\"allow\"%'";
    assert_eq!(file.execute(statement, []).unwrap(), 1);
    drop(file);
    let page = Page::open(company.attest(&["ui", "mail.db"]));
    let last = verified(&page, 0);
    assert_eq!(last["verdict"], "wrong");
    assert!(
        last["findings"].as_array().unwrap().iter().any(|said| said.as_str().unwrap().starts_with("entry ")),
        "{last}"
    );
}

/// What the verification of a log came to, which goes on beside the page.
fn verified(page: &Page, log: usize) -> Value {
    for _ in 0..100 {
        let last = page.get("api/logs").json()["logs"][log]["check"]["last"].clone();
        if last.is_object() {
            return last;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it was not verified");
}

#[test]
fn names_that_are_markup_stay_text_in_every_view() {
    let made = Made::hostile("log");
    let page = Page::open(made.ui());
    let rows = page.get("api/rows").json();
    let call = rows["rows"].as_array().unwrap().iter().find_map(|found| found["row"]["call"].as_str()).unwrap();
    let views = ["view=calls", "view=alerts", "view=states", "view=logs", "entry=0.0", &format!("call={call}")];
    for view in views {
        let Some(shown) = browser::dom(made.ui(), view) else { return };
        let mut inert = shown.replace("<script type=\"module\" src=\"app.js\"></script>", "");
        inert.retain(|c| c != '\n');
        assert!(!inert.contains("<script") && !inert.contains("<img") && !inert.contains("owned</title>"), "{shown}");
        let marked = ["view=calls", "view=alerts", "entry=0.0"].contains(&view);
        assert!(!marked || shown.contains("&lt;script&gt;"), "{view}: {shown}");
        assert!(!shown.contains('\u{202e}'), "{view}: nothing turns the direction of writing");
    }
}

#[test]
fn the_page_ends_when_it_is_told_and_leaves_the_log_as_it_was() {
    let made = Made::new("log", 10);
    let before = std::fs::read(made.path("log")).unwrap();
    let page = Page::open(made.ui());
    assert_eq!(page.get("api/rows").status, 200);
    assert!(page.program.end().success());
    assert_eq!(std::fs::read(made.path("log")).unwrap(), before);
}

/// The binary, in a folder.
fn attest_in(folder: &std::path::Path, words: &[&str]) -> Command {
    let mut command = Command::new(attest());
    command.current_dir(folder).args(words);
    command
}
