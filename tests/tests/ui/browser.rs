//! Headless Chromium, where it is installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use attest_tests::page::Page;

/// Where it is, if it is.
fn chromium() -> Option<PathBuf> {
    ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
        .map(PathBuf::from)
        .into_iter()
        .find(|path| path.exists())
}

/// What a view is made of once its script has run. A login serves once, so the program is started anew for it.
pub fn dom(ui: Command, view: &str) -> Option<String> {
    let Some(chromium) = chromium() else {
        println!("skipped: there is no chromium to show {view} in");
        return None;
    };
    let page = Page::start(ui);
    let profile = tempfile::tempdir().unwrap();
    // One that hangs must not hang the tests.
    let mut command = Command::new("timeout");
    command.arg("120").arg(chromium);
    command.args(["--headless", "--disable-gpu", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run"]);
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    command.args(["--virtual-time-budget=5000", "--dump-dom", &format!("http://{}{}#{view}", page.host, page.login)]);
    let output = command.stderr(Stdio::null()).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.contains("<h1"), "{view}: the script did not run: {shown}");
    assert!(!shown.contains("class=\"failure\""), "{view}: {shown}");
    Some(shown)
}
