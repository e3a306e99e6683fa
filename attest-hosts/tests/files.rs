//! Configuration files of each host: before, with attest in between, and after it was taken out again, byte for byte.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod common;

use attest_hosts::{Host, Known, Left, Outcome, Reach, install, remove, servers};
use common::{Folder, audit, wrap};

/// Each file with the host it is for.
const CASES: [(Host, &str); 5] = [
    (Host::ClaudeDesktop, "claude_desktop_config.json"),
    (Host::ClaudeCode, ".claude.json"),
    (Host::Cursor, "cursor.json"),
    (Host::VsCode, "vs-code.json"),
    (Host::Inspector, "inspector.json"),
];

fn case(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/cases/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_hosts_file_gets_attest_and_comes_back_byte_for_byte() {
    for (host, name) in CASES {
        for way in [wrap(), audit()] {
            let folder = Folder::new();
            let file = folder.write(name, &case(name));
            let plan = install(host, &file, &way, None).unwrap();
            plan.apply().unwrap();
            let verb = if way.reach == Reach::Wrapped { "wrapped" } else { "audited" };
            let after = format!("{name}.{verb}");
            if std::env::var_os("ATTEST_BLESS").is_some() {
                let path = format!("{}/tests/cases/{after}", env!("CARGO_MANIFEST_DIR"));
                std::fs::write(path, std::fs::read(&file).unwrap()).unwrap();
            }
            assert_eq!(folder.text(name), String::from_utf8(case(&after)).unwrap(), "{after}");
            assert_eq!(std::fs::read(folder.path(&format!("{name}.attest-backup"))).unwrap(), case(name));

            remove(host, &file, None).unwrap().apply().unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), case(name), "{name}");
            assert_eq!(folder.names(), [name], "neither a copy nor a record stays behind");
        }
    }
}

#[test]
fn installing_twice_changes_nothing() {
    for (host, name) in CASES {
        let folder = Folder::new();
        let file = folder.write(name, &case(name));
        install(host, &file, &audit(), None).unwrap().apply().unwrap();
        let once = folder.everything();
        let again = install(host, &file, &audit(), None).unwrap();
        assert!(!again.changes(), "{name}");
        assert_eq!(again.diff(), "");
        again.apply().unwrap();
        assert_eq!(folder.everything(), once, "{name}");
    }
}

#[test]
fn a_plan_alone_writes_nothing() {
    for (host, name) in CASES {
        let folder = Folder::new();
        let file = folder.write(name, &case(name));
        let plan = install(host, &file, &audit(), None).unwrap();
        assert!(plan.diff().contains("@@"), "{name}");
        assert_eq!(folder.names(), [name]);
        assert_eq!(std::fs::read(&file).unwrap(), case(name));
    }
}

#[test]
fn comments_and_what_is_not_ours_stay() {
    let folder = Folder::new();
    let file = folder.write("mcp.json", &case("vs-code.json"));
    install(Host::VsCode, &file, &audit(), None).unwrap().apply().unwrap();
    let after = folder.text("mcp.json");
    for kept in [
        "// Servers of this workspace\n",
        "\"password\": true, // never stored\n",
        "/* remote, nothing secret */",
        ", // signs in by itself\n",
        "\", // from the npm registry\n",
        "// without asking\n",
        "/* pinned elsewhere */",
        "/* none yet */",
        "\"env\": { \"PERPLEXITY_API_KEY\": \"${input:perplexity-key}\", },",
    ] {
        assert!(after.contains(kept), "{kept} is gone from\n{after}");
    }
}

#[test]
fn claude_codes_projects_are_listed_and_what_it_disabled_does_not_bypass() {
    let folder = Folder::new();
    let file = folder.write(".claude.json", &case(".claude.json"));
    let rows = |file: &std::path::Path| -> Vec<_> {
        let found = servers(Host::ClaudeCode, file).unwrap();
        found.into_iter().map(|s| (s.project.is_some(), s.name.clone(), s.reach, s.bypasses())).collect()
    };
    let row = |project, name: &str, reach, bypasses| (project, name.to_owned(), reach, bypasses);
    assert_eq!(
        rows(&file),
        [
            row(false, "secure-api", Reach::Bypasses, true),
            row(false, "asana", Reach::Bypasses, true),
            row(true, "stripe", Reach::Bypasses, true),
            row(true, "airtable", Reach::Bypasses, true),
            row(true, "off", Reach::Bypasses, false),
        ]
    );
    install(Host::ClaudeCode, &file, &audit(), None).unwrap().apply().unwrap();
    let reached: Vec<_> = rows(&file).into_iter().filter(|row| row.2 == Reach::Audited).map(|row| row.1).collect();
    assert_eq!(reached, ["stripe", "airtable", "off"]);
}

#[test]
fn a_secret_header_never_lands_on_a_command_line() {
    let folder = Folder::new();
    let file = folder.write(".claude.json", &case(".claude.json"));
    for way in [wrap(), audit()] {
        let plan = install(Host::ClaudeCode, &file, &way, Some("secure-api")).unwrap();
        assert!(!plan.changes());
        let Outcome::Left(Left::Headers { names, .. }) = &plan.steps[0].outcome else { panic!("{:?}", plan.steps) };
        assert_eq!(names, &["Authorization"]);
    }
    // agent.toml has it: then attest sends it, and the host need not know it any more.
    let mut way = wrap();
    way.remotes.insert("secure-api".into(), Known { url: None, headers: ["authorization".to_owned()].into() });
    install(Host::ClaudeCode, &file, &way, Some("secure-api")).unwrap().apply().unwrap();
    assert!(!folder.text(".claude.json").contains("your-token"));
    assert!(folder.text(".claude.json").contains("\"--upstream\", \"https://api.example.com/mcp\""));
    remove(Host::ClaudeCode, &file, None).unwrap().apply().unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), case(".claude.json"));
}

#[test]
fn an_address_with_a_query_never_lands_on_a_command_line() {
    let folder = Folder::new();
    let text = "{\"mcpServers\": {\"s\": {\"url\": \"https://x.example/mcp?key=SECRET\", \"type\": \"http\"}}}";
    let file = folder.write("mcp.json", text.as_bytes());
    let mut way = wrap();
    for way in [&way, &audit()] {
        let plan = install(Host::Cursor, &file, way, None).unwrap();
        assert!(matches!(&plan.steps[0].outcome, Outcome::Left(Left::Query { server, .. }) if server == "s"));
    }
    way.remotes.insert("s".into(), Known { url: Some("https://x.example/mcp?key=SECRET".into()), ..Known::default() });
    install(Host::Cursor, &file, &way, None).unwrap().apply().unwrap();
    assert!(!folder.text("mcp.json").contains("SECRET"));
    assert_eq!(servers(Host::Cursor, &file).unwrap()[0].reach, Reach::Wrapped);
    // Also after an edit the address is known.
    folder.write("mcp.json", folder.text("mcp.json").replace("\"type\"", "\"x\": 1, \"type\"").as_bytes());
    remove(Host::Cursor, &file, None).unwrap().apply().unwrap();
    assert_eq!(folder.text("mcp.json"), text.replace("\"type\"", "\"x\": 1, \"type\""));
}

#[test]
fn what_attest_cannot_reach_is_left_alone_with_a_reason() {
    let entries = [
        (r#"{"url": "https://x.example/sse"}"#, Left::Sse),
        (r#"{"type": "sse", "url": "https://x.example/"}"#, Left::Sse),
        (r#"{"url": "https://x.example/", "oauth": {"clientId": "c"}}"#, Left::SignIn("oauth".into())),
        (r#"{"url": "https://x.example/", "headersHelper": "/bin/token"}"#, Left::SignIn("headersHelper".into())),
        (r#"{"url": "unix:///run/x.sock"}"#, Left::Address("unix:///run/x.sock".into())),
        (r#"{"command": "x", "sandboxEnabled": true}"#, Left::Sandbox),
        (r#"{"command": "x", "url": "https://x.example/"}"#, Left::Form),
        (r#"{"command": "x", "args": "y"}"#, Left::Form),
        (r#"{"command": "x", "args": [1]}"#, Left::Form),
        (r#"{"command": ["x"]}"#, Left::Form),
        (r#"{"command": "attest", "args": ["wrap", "--"]}"#, Left::Form),
        (r#""x""#, Left::Form),
        ("{}", Left::Form),
    ];
    for (entry, reason) in entries {
        let folder = Folder::new();
        let file = folder.write("mcp.json", format!(r#"{{"mcpServers": {{"s": {entry}}}}}"#).as_bytes());
        let plan = install(Host::Cursor, &file, &audit(), None).unwrap();
        assert_eq!(plan.steps[0].outcome, Outcome::Left(reason), "{entry}");
        assert!(!plan.changes());
        assert!(servers(Host::Cursor, &file).unwrap()[0].bypasses(), "{entry}");
    }
}

#[test]
fn a_name_that_would_be_an_option_is_refused() {
    for name in ["-x", "", "a\\u0007b", "a\\nb"] {
        let folder = Folder::new();
        let file =
            folder.write("mcp.json", format!(r#"{{"mcpServers": {{"{name}": {{"command": "x"}}}}}}"#).as_bytes());
        let plan = install(Host::Cursor, &file, &audit(), None).unwrap();
        assert_eq!(plan.steps[0].outcome, Outcome::Left(Left::Name), "{name}");
    }
    // What parts an audience from a tool; `attest audit` has no audience.
    let folder = Folder::new();
    let file = folder.write("mcp.json", br#"{"mcpServers": {"a#b": {"command": "x"}}}"#);
    let outcome = |way| install(Host::Cursor, &file, &way, None).unwrap().steps[0].outcome.clone();
    assert_eq!(outcome(wrap()), Outcome::Left(Left::Name));
    assert_eq!(outcome(audit()), Outcome::Installed(Reach::Audited));
}

#[test]
fn attest_before_nothing_does_not_count() {
    let reach = |command: &str, args: &str| {
        let folder = Folder::new();
        let text = format!(r#"{{"mcpServers": {{"s": {{"command": "{command}", "args": {args}}}}}}}"#);
        servers(Host::Cursor, &folder.write("mcp.json", text.as_bytes())).unwrap()[0].reach
    };
    assert_eq!(reach("/usr/bin/attest", r#"["wrap", "--audience", "s", "--", "npx"]"#), Reach::Wrapped);
    assert_eq!(reach("attest", r#"["wrap", "--audience", "s"]"#), Reach::Wrapped);
    assert_eq!(reach("C:\\\\bin\\\\Attest.exe", r#"["audit", "--", "npx"]"#), Reach::Audited);
    assert_eq!(reach("attest", r#"["audit", "--upstream=https://x.example/"]"#), Reach::Audited);
    assert_eq!(reach("attest", r#"["audit", "--name", "s"]"#), Reach::Bypasses);
    assert_eq!(reach("attest", r#"["wrap", "--"]"#), Reach::Bypasses);
    assert_eq!(reach("attest", r#"["guard", "--", "npx"]"#), Reach::Bypasses);
    assert_eq!(reach("attester", r#"["wrap", "--", "npx"]"#), Reach::Bypasses);
    assert_eq!(reach("sh", r#"["attest", "wrap", "--", "npx"]"#), Reach::Bypasses);
}
