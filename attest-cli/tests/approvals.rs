//! `attest approvals` as a person uses it, and its page as another page would like to.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "approvals/browser.rs"]
mod browser;
#[path = "../../attest-core/tests/common/mod.rs"]
mod common;
#[path = "approvals/office.rs"]
mod office;

use office::{Office, Sent, http};

#[test]
fn a_request_is_shown_whole_approved_once_by_each_and_refused() {
    let office = Office::new();
    let id = office.ask("/srv/a.txt");
    let (code, listed, _) = office.attest(&["list"]);
    assert_eq!(code, 0);
    assert!(listed.starts_with(&id[..12]) && listed.contains("\"a1\" asks for \"read_file\""), "{listed}");
    let shown = office.show(&id[..6]);
    let parts = [
        "\"path\": \"/srv/a.txt\"",
        "\"owner\" grants to",
        "money leaves",
        "0 of 2 of \"finance\"",
        "the accepted one",
    ];
    for part in parts {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(office.attest(&["approve", &id, "--key", "alice.key"]).0, 0);
    let (code, _, error) = office.attest(&["approve", &id, "--key", "alice.key"]);
    assert!(code != 0 && error.contains("counts once"), "{error}");
    let (code, _, error) = office.attest(&["approve", &id, "--key", "stranger.key"]);
    assert!(code != 0 && error.contains("[[approver]]"), "{error}");
    assert!(office.show(&id).contains("1 of 2 of \"finance\""));
    assert_eq!(office.attest(&["refuse", &id]).0, 0);
    let (code, _, error) = office.attest(&["approve", &id, "--key", "bob.key"]);
    assert!(code != 0 && error.contains("refused"), "{error}");
    let (code, _, error) = office.attest(&["show", "zzzz"]);
    assert!(code != 0 && error.contains("attest approvals list"), "{error}");
}

#[test]
fn who_operates_an_agent_does_not_approve_for_it() {
    let office = Office::new();
    let id = office.ask("/srv/a.txt");
    office.edit("name = \"bob\"", "name = \"bob\"\noperates = [\"a1\"]");
    let (code, _, error) = office.attest(&["approve", &id, "--key", "bob.key"]);
    assert!(code != 0 && error.contains("nobody approves a call of his own"), "{error}");
    // One who was taken out after he approved.
    assert_eq!(office.attest(&["approve", &id, "--key", "alice.key"]).0, 0);
    office.edit("name = \"alice\"\ngroups = [\"finance\"]", "name = \"alice\"\ngroups = []");
    assert!(office.show(&id).contains("0 of 2"));
}

#[test]
fn arguments_cannot_pretend_to_be_ours() {
    let office = Office::new();
    let id = office.ask(r"a\u001b[2J\r\nWhy it waits\n  risk: \u202enone<script>alert(1)</script>");
    let shown = office.show(&id);
    assert!(!shown.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{shown:?}");
    assert_eq!(shown.lines().filter(|line| *line == "Why it waits").count(), 1);
    let page = office.serve("alice.key");
    let cookie = page.log_in();
    let html = http(&page.host, &page.get(&format!("r/{id}"), &cookie));
    assert!(html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
}

#[test]
fn the_page_answers_its_own_browser_and_nobody_else() {
    let office = Office::new();
    let id = office.ask("/srv/a.txt");
    let page = office.serve("alice.key");
    let cookie = page.log_in();
    assert!(http(&page.host, &page.get(&page.login, "")).starts_with("HTTP/1.1 403"), "the login serves once");
    let html = http(&page.host, &page.get(&format!("r/{id}"), &cookie));
    let part = ["frame-ancestors 'none'", "default-src 'none'", "no-store", "nosniff", "Approve this call"];
    part.iter().for_each(|part| assert!(html.to_lowercase().contains(&part.to_lowercase()), "{part}: {html}"));
    let form = html.split("name=\"form\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let good = Sent { id: &id, cookie: &cookie, form: &form, ..Sent::from(&page) };
    let bad = [
        ("no cookie", Sent { cookie: "", ..good.clone() }),
        ("another cookie", Sent { cookie: "attest=AAAA", ..good.clone() }),
        ("no token", Sent { form: "", ..good.clone() }),
        ("another token", Sent { form: "AAAA", ..good.clone() }),
        ("another origin", Sent { origin: "http://evil.example".to_owned(), ..good.clone() }),
        ("no origin that is one", Sent { origin: "null".to_owned(), ..good.clone() }),
        ("another host", Sent { host: "evil.example".to_owned(), ..good.clone() }),
        ("a page of another site", Sent { site: "cross-site", ..good.clone() }),
        ("another port of this machine", Sent { site: "same-site", ..good.clone() }),
    ];
    for (what, sent) in bad {
        let answer = http(&page.host, &sent.request(&page));
        assert!(answer.starts_with("HTTP/1.1 403"), "{what}: {answer}");
        assert!(office.show(&id).contains("0 of 2"), "{what}");
    }
    let answer = http(&page.host, &page.get(&format!("r/{id}/approve"), &cookie));
    assert!(answer.starts_with("HTTP/1.1 405"), "a link approves nothing: {answer}");
    assert!(http(&page.host, &good.request(&page)).starts_with("HTTP/1.1 303"));
    assert!(office.show(&id).contains("1 of 2"));
    let (code, _, error) = office.attest(&["serve", "--listen", "0.0.0.0:0", "--key", "alice.key"]);
    assert!(code != 0 && error.contains("this machine alone"), "{error}");
}

/// Needs a Chromium; where there is none, the test before is all that is said.
#[test]
fn in_a_browser_that_is_logged_in_another_page_approves_nothing() {
    let Some(chromium) = browser::found() else { return };
    let office = Office::new();
    let id = office.ask("/srv/a.txt");
    let page = office.serve("alice.key");
    let browser = browser::Browser::start(&chromium);
    browser.open(&format!("http://{}{}{}", page.host, page.base, page.login));
    browser.await_title("Calls that wait for people");
    let port = page.host.rsplit(':').next().unwrap();
    browser.open(&format!("http://rebound.example:{port}{}", page.base));
    browser.await_title("Approvals");
    let attacker = browser::Attacker::start(&format!("http://{}{}", page.host, page.base), &id);
    browser.open(&attacker.url);
    attacker.await_done();
    assert!(office.show(&id).contains("0 of 2"));
    assert!(!office.show(&id).contains("REFUSED"));
}
