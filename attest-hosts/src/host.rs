//! The hosts, and where each keeps its configuration.
//!
//! Looked up on 2026-11-26: the references of Claude Code and VS Code (code.claude.com/docs/en/mcp,
//! code.visualstudio.com/docs/agents/reference/mcp-configuration), cursor.com/docs/mcp, the guide of Claude Desktop at
//! modelcontextprotocol.io, `docs/mcp-server-configuration.md` of modelcontextprotocol/inspector.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::document::Document;
use crate::file;

/// A program with a model in it that connects to MCP servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Host {
    /// Claude Desktop.
    ClaudeDesktop,
    /// Claude Code; its own file also holds servers per project.
    ClaudeCode,
    /// Cursor.
    Cursor,
    /// VS Code: `servers` and `inputs` instead of `mcpServers`.
    VsCode,
    /// MCP Inspector.
    Inspector,
}

impl Host {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::ClaudeDesktop, Self::ClaudeCode, Self::Cursor, Self::VsCode, Self::Inspector];

    /// As it is written on a command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::Cursor => "cursor",
            Self::VsCode => "vs-code",
            Self::Inspector => "inspector",
        }
    }

    /// The other way round.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|host| host.as_str() == name)
    }

    /// Whose file this is, by its name and its folder's; `None` for a name that several hosts use.
    pub fn of(path: &Path) -> Option<Self> {
        let part = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let folder = path.parent().and_then(part).unwrap_or_default();
        match (part(path)?.as_str(), folder.as_str()) {
            ("claude_desktop_config.json", _) => Some(Self::ClaudeDesktop),
            (".claude.json" | ".mcp.json" | "managed-mcp.json", _) => Some(Self::ClaudeCode),
            ("mcp.json", ".cursor") => Some(Self::Cursor),
            ("mcp.json", ".vscode" | "User") | ("mcp-config.json", ".copilot") => Some(Self::VsCode),
            ("mcp.json", ".mcp-inspector") => Some(Self::Inspector),
            _ => None,
        }
    }

    /// The member that holds the servers of the file at `path`.
    pub(crate) fn key(self, path: &Path) -> &'static str {
        // What VS Code shares with other hosts is in their form.
        let shared = path.file_name().is_some_and(|name| name == ".mcp.json" || name == "mcp-config.json");
        if self == Self::VsCode && !shared { "servers" } else { "mcpServers" }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// For whom a file counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// This user, everywhere.
    User,
    /// Who works in this folder; such a file is often shared with others.
    Project,
    /// Everybody on this machine.
    Machine,
}

/// An operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

/// What a place is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// The user's home.
    Home,
    /// Where programs keep settings: `XDG_CONFIG_HOME`, `~/Library/Application Support`, `%APPDATA%`.
    Settings,
    /// The folder one works in, and those above it.
    Project,
    /// The root of the file system.
    Root,
}

/// Where a host keeps a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The host.
    pub host: Host,
    /// For whom it counts.
    pub scope: Scope,
    /// On which systems; empty for all.
    pub systems: &'static [System],
    /// What the path is relative to.
    pub base: Base,
    /// The path. A part `*` stands for each folder there.
    pub path: &'static str,
}

const fn place(host: Host, scope: Scope, systems: &'static [System], base: Base, path: &'static str) -> Place {
    Place { host, scope, systems, base, path }
}

/// Every place that is looked at.
pub const PLACES: &[Place] = &[
    place(Host::ClaudeDesktop, Scope::User, &[], Base::Settings, "Claude/claude_desktop_config.json"),
    place(Host::ClaudeCode, Scope::User, &[], Base::Home, ".claude.json"),
    place(Host::ClaudeCode, Scope::Project, &[], Base::Project, ".mcp.json"),
    place(Host::ClaudeCode, Scope::Machine, &[System::Linux], Base::Root, "etc/claude-code/managed-mcp.json"),
    place(
        Host::ClaudeCode,
        Scope::Machine,
        &[System::MacOs],
        Base::Root,
        "Library/Application Support/ClaudeCode/managed-mcp.json",
    ),
    place(
        Host::ClaudeCode,
        Scope::Machine,
        &[System::Windows],
        Base::Root,
        "Program Files/ClaudeCode/managed-mcp.json",
    ),
    place(Host::Cursor, Scope::User, &[], Base::Home, ".cursor/mcp.json"),
    place(Host::Cursor, Scope::Project, &[], Base::Project, ".cursor/mcp.json"),
    place(Host::VsCode, Scope::User, &[], Base::Settings, "Code/User/mcp.json"),
    place(Host::VsCode, Scope::User, &[], Base::Settings, "Code/User/profiles/*/mcp.json"),
    place(Host::VsCode, Scope::User, &[], Base::Settings, "Code - Insiders/User/mcp.json"),
    place(Host::VsCode, Scope::User, &[], Base::Home, ".copilot/mcp-config.json"),
    place(Host::VsCode, Scope::Project, &[], Base::Project, ".vscode/mcp.json"),
    place(Host::Inspector, Scope::User, &[], Base::Home, ".mcp-inspector/mcp.json"),
    place(Host::Inspector, Scope::Project, &[], Base::Project, "mcp.json"),
];

/// What the places are relative to, here and now.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// The operating system.
    pub system: System,
    /// The user's home.
    pub home: PathBuf,
    /// Where programs keep settings.
    pub settings: PathBuf,
    /// Where Claude Code keeps its own file, if `CLAUDE_CONFIG_DIR` moves it.
    pub claude: Option<PathBuf>,
    /// The Inspector's catalog, if `MCP_CATALOG_PATH` moves it.
    pub catalog: Option<PathBuf>,
    /// The folder one works in.
    pub folder: PathBuf,
    /// The root of the file system.
    pub root: PathBuf,
}

impl Surroundings {
    /// Of a user on a system: `variable` looks up the environment.
    pub fn new(system: System, home: PathBuf, folder: PathBuf, variable: impl Fn(&str) -> Option<PathBuf>) -> Self {
        let absolute = |name| variable(name).filter(|path: &PathBuf| path.is_absolute());
        let settings = match system {
            System::Linux => absolute("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config")),
            System::MacOs => home.join("Library/Application Support"),
            System::Windows => variable("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming")),
        };
        let root = if system == System::Windows { "C:/" } else { "/" }.into();
        let (claude, catalog) = (variable("CLAUDE_CONFIG_DIR"), variable("MCP_CATALOG_PATH"));
        Self { system, settings, home, claude, catalog, folder, root }
    }

    fn paths(&self, place: &Place) -> Vec<PathBuf> {
        if !place.systems.is_empty() && !place.systems.contains(&self.system) {
            return Vec::new();
        }
        match (place.host, place.scope, place.base) {
            (Host::ClaudeCode, Scope::User, _) => {
                vec![self.claude.as_ref().unwrap_or(&self.home).join(place.path)]
            }
            (Host::Inspector, Scope::User, _) => {
                vec![self.catalog.clone().unwrap_or_else(|| self.home.join(place.path))]
            }
            (_, _, Base::Home) => vec![self.home.join(place.path)],
            (_, _, Base::Settings) => spread(&self.settings, place.path),
            (_, _, Base::Root) => vec![self.root.join(place.path)],
            (_, _, Base::Project) => self.above().map(|folder| folder.join(place.path)).collect(),
        }
    }

    /// The folder one works in and those above it, to the top of the working copy or the home folder.
    fn above(&self) -> impl Iterator<Item = &Path> {
        let mut over = false;
        self.folder.ancestors().take_while(move |folder| {
            let go = !over;
            over = *folder == self.home || folder.join(".git").exists();
            go
        })
    }
}

/// `path` below `base`, once for each folder that its `*` stands for.
fn spread(base: &Path, path: &str) -> Vec<PathBuf> {
    let Some((before, after)) = path.split_once("/*/") else { return vec![base.join(path)] };
    let folders = std::fs::read_dir(base.join(before)).into_iter().flatten().flatten();
    let mut paths: Vec<_> = folders.map(|folder| folder.path().join(after)).collect();
    paths.sort();
    paths
}

/// A configuration that is there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Found {
    /// The host.
    pub host: Host,
    /// For whom it counts.
    pub scope: Scope,
    /// The file.
    pub path: PathBuf,
}

/// Every configuration that is there; of several names for one file, the first. A file that cannot be looked at counts as
/// there, so that reading it says what is wrong.
pub fn find(around: &Surroundings, host: Option<Host>) -> Vec<Found> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut add = |host, scope, path: PathBuf| {
        let there = !matches!(path.metadata(), Err(e) if e.kind() == std::io::ErrorKind::NotFound)
            && !path.parent().is_some_and(|folder| folder.is_file());
        if there && seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            found.push(Found { host, scope, path });
        }
    };
    for place in PLACES.iter().filter(|place| host.is_none_or(|host| host == place.host)) {
        for path in around.paths(place) {
            if place.host == Host::ClaudeCode && place.scope == Scope::User {
                // What it says about projects leads to their own files.
                for project in projects(&path) {
                    add(Host::ClaudeCode, Scope::Project, project.join(".mcp.json"));
                }
            }
            add(place.host, place.scope, path);
        }
    }
    found.sort_by(|a, b| (a.host, a.scope, &a.path).cmp(&(b.host, b.scope, &b.path)));
    found
}

/// The projects that Claude Code's own file names; none where it cannot be read, which reading its servers reports.
pub fn projects(path: &Path) -> Vec<PathBuf> {
    let Ok(original) = file::read(path) else { return Vec::new() };
    let names = Document::parse(&original.text).and_then(|document| document.projects()).unwrap_or_default();
    names.into_iter().map(PathBuf::from).filter(|project| project.is_absolute()).collect()
}
