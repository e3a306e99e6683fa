//! Where configurations are looked for.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use std::path::PathBuf;

use attest_hosts::{Found, Host, Scope, Surroundings, System, find};
use common::Folder;

fn around(folder: &Folder, system: System, work: &str) -> Surroundings {
    let mut around = Surroundings::new(system, folder.path("home"), folder.path(work), |_| None);
    around.root = folder.path("root");
    around
}

fn names(folder: &Folder, found: Vec<Found>) -> Vec<String> {
    let name = |path: PathBuf| path.strip_prefix(folder.root()).unwrap().display().to_string();
    found.into_iter().map(|found| format!("{} {}", found.host, name(found.path))).collect()
}

#[test]
fn every_file_of_every_host_is_found_on_linux_and_macos() {
    for (system, settings) in [(System::Linux, "home/.config"), (System::MacOs, "home/Library/Application Support")] {
        let folder = Folder::new();
        for file in ["Claude/claude_desktop_config.json", "Code/User/mcp.json", "Code/User/profiles/5f/mcp.json"] {
            folder.write(&format!("{settings}/{file}"), b"");
        }
        for file in [".claude.json", ".cursor/mcp.json", ".copilot/mcp-config.json", ".mcp-inspector/mcp.json"] {
            folder.write(&format!("home/{file}"), b"");
        }
        for file in [".mcp.json", ".cursor/mcp.json", ".vscode/mcp.json", "mcp.json", ".git/HEAD", "deep/er/x"] {
            folder.write(&format!("home/work/{file}"), b"");
        }
        // Above the working copy it is nobody's project.
        folder.write("home/mcp.json", b"");
        let found = names(&folder, find(&around(&folder, system, "home/work/deep/er"), None));
        let want = [
            format!("claude-desktop {settings}/Claude/claude_desktop_config.json"),
            "claude-code home/.claude.json".into(),
            "claude-code home/work/.mcp.json".into(),
            "cursor home/.cursor/mcp.json".into(),
            "cursor home/work/.cursor/mcp.json".into(),
            "vs-code home/.copilot/mcp-config.json".into(),
            format!("vs-code {settings}/Code/User/mcp.json"),
            format!("vs-code {settings}/Code/User/profiles/5f/mcp.json"),
            "vs-code home/work/.vscode/mcp.json".into(),
            "inspector home/.mcp-inspector/mcp.json".into(),
            "inspector home/work/mcp.json".into(),
        ];
        let sorted = |mut list: Vec<String>| {
            list.sort();
            list
        };
        assert_eq!(sorted(found), sorted(want.into()));
    }
}

#[test]
fn projects_that_claude_code_knows_are_looked_at_from_anywhere() {
    let folder = Folder::new();
    let project = folder.path("elsewhere");
    folder.write("elsewhere/.mcp.json", b"{}");
    let text = format!("{{\"projects\": {{{:?}: {{}}, \"relative\": {{}}}}}}", project.display().to_string());
    folder.write("home/.claude.json", text.as_bytes());
    let found = find(&around(&folder, System::Linux, "home"), Some(Host::ClaudeCode));
    assert_eq!(names(&folder, found.clone()), ["claude-code home/.claude.json", "claude-code elsewhere/.mcp.json"]);
    assert_eq!(found[1].scope, Scope::Project);
}

#[test]
fn one_file_under_two_names_is_found_once() {
    let folder = Folder::new();
    folder.write("home/.cursor/mcp.json", b"{}");
    // The home folder is also the folder one works in.
    assert_eq!(names(&folder, find(&around(&folder, System::Linux, "home"), None)), ["cursor home/.cursor/mcp.json"]);
}

#[test]
fn variables_move_files() {
    let folder = Folder::new();
    folder.write("c/.claude.json", b"{}");
    folder.write("x/Claude/claude_desktop_config.json", b"{}");
    folder.write("i.json", b"{}");
    let around = Surroundings::new(System::Linux, folder.path("home"), folder.path("home"), |name| match name {
        "CLAUDE_CONFIG_DIR" => Some(folder.path("c")),
        "XDG_CONFIG_HOME" => Some(folder.path("x")),
        "MCP_CATALOG_PATH" => Some(folder.path("i.json")),
        _ => None,
    });
    assert_eq!(
        names(&folder, find(&around, None)),
        ["claude-desktop x/Claude/claude_desktop_config.json", "claude-code c/.claude.json", "inspector i.json"]
    );
}

#[test]
fn a_file_says_by_its_name_whose_it_is() {
    let of = |path: &str| Host::of(path.as_ref());
    assert_eq!(of("/x/claude_desktop_config.json"), Some(Host::ClaudeDesktop));
    assert_eq!(of("/x/.mcp.json"), Some(Host::ClaudeCode));
    assert_eq!(of("/x/.cursor/mcp.json"), Some(Host::Cursor));
    assert_eq!(of("/x/.vscode/mcp.json"), Some(Host::VsCode));
    assert_eq!(of("/x/Code/User/mcp.json"), Some(Host::VsCode));
    assert_eq!(of("/x/mcp.json"), None);
    for host in Host::ALL {
        assert_eq!(Host::parse(host.as_str()), Some(host));
    }
}
