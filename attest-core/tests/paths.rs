//! A path that a path prefix allows leads below its folder, whichever reader takes it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::{Component, Path};

use attest_core::constraint::Constraint;
use attest_core::json::{self, Value};
use proptest::prelude::*;

fn folder(path: &str) -> Constraint {
    let text = format!(r#"{{"constraint_type":"io.github.agent-attest/path_prefix","prefix":{path:?}}}"#);
    Constraint::read(&json::parse(text.as_bytes()).unwrap(), &mut 10).unwrap()
}

/// Steps and separators that readers take for different things.
fn nasty() -> impl Strategy<Value = String> {
    let step = prop::sample::select(
        &[
            "a",
            "b.txt",
            ".x",
            "x.",
            "..",
            ".",
            "",
            "...",
            "%2e%2e",
            "%2E.",
            "..%2f..",
            "%252e",
            "a\0",
            "\0",
            "..\0",
            " ",
            "..\t",
            " ..",
            ".. ",
            "..\u{3000}",
            "\u{feff}..",
            "a\n",
            "C:",
            "~",
            "..;",
            "srv",
        ][..],
    );
    let between = prop_oneof![8 => Just("/"), 1 => Just("\\"), 1 => Just("//"), 1 => Just("%2f"), 1 => Just("/./")];
    let first = prop_oneof![8 => Just("/srv/"), 1 => Just("/srv"), 1 => Just("//srv/"), 1 => Just("srv/"), 1 => Just("\\srv\\"), 1 => Just("/")];
    let steps = prop::collection::vec((step, between), 0..5);
    (first, steps, any::<bool>()).prop_map(|(first, steps, slash)| {
        let mut path = first.to_owned();
        for (n, (step, between)) in steps.iter().enumerate() {
            path.push_str(step);
            path.push_str(if n + 1 < steps.len() || slash { between } else { "" });
        }
        path
    })
}

/// What Rust walks, `..` resolved by its text.
fn by_components(path: &str) -> Vec<String> {
    let mut steps = Vec::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(steps.pop()),
            Component::Normal(step) => steps.push(step.to_string_lossy().into_owned()),
            _ => {}
        }
    }
    steps
}

/// Python's `posixpath.normpath` of a path from the root: empty steps and single dots go, `..` takes the step before.
fn by_normpath(path: &str) -> Vec<String> {
    let mut steps: Vec<String> = Vec::new();
    for step in path.split('/') {
        match step {
            "" | "." => {}
            ".." => drop(steps.pop()),
            step => steps.push(step.to_owned()),
        }
    }
    steps
}

fn decoded(path: &str) -> String {
    path.replace("%2e", ".").replace("%2E", ".").replace("%2f", "/").replace("%252e", "%2e").replace("%25", "%")
}

/// As readers change it before they walk it.
fn readings(path: &str) -> Vec<String> {
    let cut = path.split('\0').next().unwrap_or_default().to_owned();
    let trimmed: Vec<&str> = path.split('/').map(str::trim).collect();
    let once = decoded(path);
    vec![path.to_owned(), cut, path.replace('\\', "/"), trimmed.join("/"), decoded(&once), once, path.replace('\0', "")]
}

fn is_below(steps: &[String]) -> bool {
    matches!(steps, [first, _, ..] if first == "srv")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30_000, ..ProptestConfig::default() })]

    #[test]
    fn what_a_path_prefix_allows_no_reader_takes_for_something_outside(path in nasty()) {
        if folder("/srv").allows(&Value::String(path.clone().into())) {
            for reading in readings(&path) {
                prop_assert!(is_below(&by_components(&reading)), "{:?} read as {:?}", path, reading);
                prop_assert!(is_below(&by_normpath(&reading)), "{:?} read as {:?}", path, reading);
            }
            // And each takes it for what it says.
            prop_assert_eq!(format!("/{}", by_normpath(&path).join("/")), path);
        }
    }

    #[test]
    fn a_narrower_folder_allows_nothing_that_the_wider_does_not(
        path in nasty(), narrow in prop::sample::select(&["/", "/srv", "/srv/a", "/sr", "/srva"][..]), wide in prop::sample::select(&["/", "/srv", "/srv/a", "/sr"][..]),
    ) {
        let (narrow, wide, path) = (folder(narrow), folder(wide), Value::String(path.into()));
        if narrow.narrows(&wide) && narrow.allows(&path) {
            prop_assert!(wide.allows(&path));
        }
    }
}

#[test]
fn plain_paths_are_allowed_so_that_the_properties_say_something() {
    for path in ["/srv/a", "/srv/.x/x./b.txt", "/srv/~/..;", "/srv/a b"] {
        assert!(folder("/srv").allows(&Value::String(path.into())), "{path}");
    }
}
