//! What happens to a file that is not as expected, and to one that somebody else edits.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use std::os::unix::fs::{PermissionsExt as _, symlink};

use attest_hosts::{Host, Known, Outcome, Reach, install, remove, servers};
use common::{Folder, audit, wrap};

const ONE: &str = "{\n  \"mcpServers\": {\n    \"one\": {\"command\": \"npx\", \"args\": [\"-y\", \"one\"]}\n  }\n}\n";

fn refused(text: &[u8]) -> String {
    let folder = Folder::new();
    let file = folder.write("mcp.json", text);
    let error = install(Host::Cursor, &file, &audit(), None).unwrap_err().to_string();
    assert_eq!(remove(Host::Cursor, &file, None).unwrap_err().to_string(), error);
    assert_eq!(servers(Host::Cursor, &file).unwrap_err().to_string(), error);
    assert_eq!(std::fs::read(&file).unwrap(), text);
    assert_eq!(folder.names(), ["mcp.json"]);
    error.replace(&file.canonicalize().unwrap().display().to_string(), "FILE")
}

#[test]
fn a_file_that_is_not_valid_is_refused_with_line_and_column_and_left_alone() {
    for (text, at) in [
        ("{\n  \"mcpServers\": {\n    \"a\": {\"command\" \"x\"}\n", "line 3, column"),
        ("{'mcpServers': {}}", "line 1, column 2"),
        ("{mcpServers: {}}", "line 1, column 2"),
        ("{\"mcpServers\": {}\n \"x\": 1}", "line 1, column 18"),
        ("{\"mcpServers\": [1]}", "line 1, column 16: \"mcpServers\" should be an object"),
        ("[]", "line 1, column 1"),
        ("{} {}", "line 1, column"),
        ("{\"mcpServers\": {", "line 1, column"),
    ] {
        assert!(refused(text.as_bytes()).contains(at), "{text}: {}", refused(text.as_bytes()));
    }
    assert!(refused(b"{\n\"mcpServers\": \xff{}}").contains("line 2: not UTF-8"));
    let deep = [b"{\"mcpServers\":".as_slice(), &b"[".repeat(100_000)].concat();
    assert!(refused(&deep).contains("depth"));
}

#[test]
fn a_member_that_is_there_twice_is_refused_in_any_spelling() {
    for text in [
        r#"{"mcpServers": {}, "mcpServers": {}}"#,
        r#"{"mcpServers": {"a": {"command": "x"}, "\u0061": {"command": "y"}}}"#,
        r#"{"mcpServers": {"a": {"command": "x", "command": "y"}}}"#,
        r#"{"projects": {"/p": {}, "/p": {}}}"#,
    ] {
        assert!(refused(text.as_bytes()).contains("there twice"), "{text}");
    }
}

#[test]
fn empty_files_have_no_servers() {
    for text in ["", "  \n", "// nothing\n", "{}", "{\"mcpServers\": null}", "{\"mcpServers\": {}}", "\u{feff}{}"] {
        let folder = Folder::new();
        let file = folder.write("mcp.json", text.as_bytes());
        assert!(servers(Host::Cursor, &file).unwrap().is_empty(), "{text:?}");
        let plan = install(Host::Cursor, &file, &audit(), None).unwrap();
        plan.apply().unwrap();
        assert_eq!(folder.everything().into_values().collect::<Vec<_>>(), [text.as_bytes()]);
    }
}

#[test]
fn neither_a_folder_nor_a_pipe_is_waited_for() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("mcp.json")).unwrap();
    assert!(install(Host::Cursor, &folder.path("mcp.json"), &audit(), None).is_err());
    let pipe = folder.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(install(Host::Cursor, &pipe, &audit(), None).unwrap_err().to_string().contains("regular file"));
    let missing = install(Host::Cursor, &folder.path("none"), &audit(), None).unwrap_err().to_string();
    assert!(missing.starts_with("cannot find "), "{missing}");
}

#[test]
fn a_file_that_changes_meanwhile_is_refused() {
    let folder = Folder::new();
    let file = folder.write("mcp.json", ONE.as_bytes());
    let plan = install(Host::Cursor, &file, &audit(), None).unwrap();
    let edited = ONE.replace("one", "two");
    folder.write("mcp.json", edited.as_bytes());
    let error = plan.apply().unwrap_err().to_string();
    assert!(error.contains("was changed by another program"), "{error}");
    assert_eq!(folder.text("mcp.json"), edited);
    assert_eq!(folder.names(), ["mcp.json"]);
    // And the next run is not confused by what the first one noted.
    install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap();
    remove(Host::Cursor, &file, None).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json"), edited);
    assert_eq!(folder.names(), ["mcp.json"]);
}

#[test]
fn mode_links_and_byte_order_mark_are_kept() {
    let folder = Folder::new();
    let real = folder.write("real.json", format!("\u{feff}{ONE}").as_bytes());
    let link = folder.path("mcp.json");
    symlink("real.json", &link).unwrap();
    for mode in [0o600, 0o640, 0o664] {
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(mode)).unwrap();
        let mode_of = |name: &str| std::fs::symlink_metadata(folder.path(name)).unwrap().permissions().mode() & 0o7777;
        install(Host::Cursor, &link, &audit(), None).unwrap().apply().unwrap();
        assert!(link.is_symlink());
        assert!(folder.text("real.json").starts_with("\u{feff}{"));
        assert!(folder.text("real.json").contains("audit"));
        assert_eq!(mode_of("real.json"), mode);
        assert_eq!(mode_of("real.json.attest-backup"), mode);
        assert_eq!(mode_of("real.json.attest-state"), 0o600, "it may hold secrets");
        remove(Host::Cursor, &link, None).unwrap().apply().unwrap();
        assert_eq!(folder.text("real.json"), format!("\u{feff}{ONE}"));
        assert_eq!(mode_of("real.json"), mode);
        assert_eq!(folder.names(), ["mcp.json", "real.json"]);
    }
}

#[test]
fn a_backup_is_never_overwritten() {
    let folder = Folder::new();
    let file = folder.write("mcp.json", ONE.as_bytes());
    assert!(install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap().backup.is_some());
    let with_more =
        folder.text("mcp.json").replace("\"mcpServers\": {", "\"mcpServers\": {\n    \"two\": {\"command\": \"two\"},");
    folder.write("mcp.json", with_more.as_bytes());
    assert_eq!(install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap().backup, None);
    assert_eq!(folder.text("mcp.json.attest-backup"), ONE);
    remove(Host::Cursor, &file, None).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json.attest-backup"), ONE, "it is the only copy of how the file once was");
}

#[test]
fn what_was_replaced_is_known_through_later_runs() {
    let folder = Folder::new();
    // Only the record knows that there were no arguments.
    let server = |name: &str| format!("\"{name}\": {{\"command\": \"x\"}}");
    let text = |servers: &str| format!("{{\"mcpServers\": {{{servers}}}}}");
    let file = folder.write("mcp.json", text(&server("one")).as_bytes());
    install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap();
    let more = folder.text("mcp.json").replacen("Servers\": {", &format!("Servers\": {{{}, ", server("two")), 1);
    folder.write("mcp.json", more.as_bytes());
    install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap();
    remove(Host::Cursor, &file, Some("two")).unwrap().apply().unwrap();
    remove(Host::Cursor, &file, None).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json"), text(&format!("{}, {}", server("two"), server("one"))));
}

#[test]
fn edits_made_in_between_survive_and_the_server_is_what_it_was() {
    let folder = Folder::new();
    let file = folder.write("mcp.json", ONE.as_bytes());
    install(Host::Cursor, &file, &audit(), None).unwrap().apply().unwrap();
    let edited =
        folder.text("mcp.json").replace("\"one\"]", "\"one\", /* mine */ \"--more\"], \"env\": {\"A\": \"b\"}");
    folder.write("mcp.json", edited.as_bytes());
    let plan = remove(Host::Cursor, &file, None).unwrap();
    assert_eq!(plan.steps[0].outcome, Outcome::Removed { exact: false });
    plan.apply().unwrap();
    let want = ONE.replace("\"one\"]", "\"one\", /* mine */ \"--more\"], \"env\": {\"A\": \"b\"}");
    assert_eq!(folder.text("mcp.json"), want);
}

#[test]
fn a_remote_server_comes_back_with_its_headers_after_an_edit() {
    let folder = Folder::new();
    let text = "{\"mcpServers\": {\n  \"r\": {\n    \"type\": \"http\",\n    \"url\": \"https://x.example/mcp\",\n    \
                \"headers\": {\"X-Key\": \"k\"}\n  }\n}}\n";
    let file = folder.write("mcp.json", text.as_bytes());
    let mut way = wrap();
    way.remotes.insert("r".into(), Known { url: None, headers: ["X-Key".to_owned()].into() });
    install(Host::Cursor, &file, &way, None).unwrap().apply().unwrap();
    assert_eq!(servers(Host::Cursor, &file).unwrap()[0].reach, Reach::Wrapped);
    folder.write("mcp.json", folder.text("mcp.json").replace("\"type\"", "\"timeout\": 5, \"type\"").as_bytes());
    remove(Host::Cursor, &file, None).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json"), text.replace("\"type\"", "\"timeout\": 5, \"type\""));
}

#[test]
fn without_its_record_attest_is_taken_out_by_name_only() {
    let folder = Folder::new();
    let file = folder.write("mcp.json", ONE.as_bytes());
    install(Host::Cursor, &file, &wrap(), None).unwrap().apply().unwrap();
    std::fs::remove_file(folder.path("mcp.json.attest-state")).unwrap();
    assert!(!remove(Host::Cursor, &file, None).unwrap().changes(), "who put it there is not known");
    remove(Host::Cursor, &file, Some("one")).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json"), ONE);
    // A record that is not ours stops everything.
    folder.write("mcp.json.attest-state", b"{}");
    let error = install(Host::Cursor, &file, &wrap(), None).unwrap_err().to_string();
    assert!(error.contains("is not what attest wrote"), "{error}");
}
