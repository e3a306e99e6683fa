//! What is to be granted: flags, and a file in TOML or JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use attest_core::digest::Digest;
use attest_core::flow::Flow;
use attest_core::json;
use attest_core::labels::Labels;
use attest_core::measurement::Component;
use attest_core::pins::Pins;
use attest_core::tools::{Tools, split};

use super::Failure;

/// What a token grants.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct GrantArgs {
    /// Grant this tool with any arguments: `<server audience>#<tool>`; may be repeated
    #[arg(long = "tool", value_name = "AUDIENCE#TOOL")]
    tools: Vec<String>,
    /// Grant what this file says: TOML with the tables `tools."<audience>#<tool>"`, `flow`, `flow.release` and `state`; or JSON, the tools alone
    #[arg(long, value_name = "FILE")]
    grant: Option<PathBuf>,
    /// Let data with these labels flow to this tool (`*` for every tool of the token): `<audience>#<tool>=<label>,<label>`; may be repeated
    #[arg(long, value_name = "TOOL=LABELS")]
    release: Vec<String>,
    /// The holder may call only on behalf of a call that was made to it, never of its own accord
    #[arg(long)]
    on_behalf_only: bool,
    /// The holder must show this component: `<component>=<digest>`; may be repeated
    #[arg(long, value_name = "COMPONENT=DIGEST")]
    pin: Vec<String>,
    /// Everybody the grant is passed on to must show this component; may be repeated
    #[arg(long, value_name = "COMPONENT=DIGEST")]
    pin_below: Vec<String>,
    /// How old the attestation of a pinned holder who passed the grant on may be: 10m, 12h, 30d
    #[arg(long, value_name = "TIME", default_value = "1h")]
    max_age: humantime::Duration,
}

/// What stands in a token; what is absent is as the parent has it.
#[derive(Debug, Default)]
pub(crate) struct Granted {
    pub tools: Option<Tools>,
    pub flow: Option<Flow>,
    pub pins: Option<Pins>,
}

impl GrantArgs {
    /// Reads the file, and adds what the flags say.
    pub(crate) fn read(&self) -> Result<Granted, Failure> {
        let mut granted = match &self.grant {
            Some(path) => from_file(path)?,
            None => Granted::default(),
        };
        for tool in &self.tools {
            split(tool).ok_or_else(|| format!("{tool:?} is not <server audience>#<tool>"))?;
            granted.tools.get_or_insert_default().0.entry(tool.clone()).or_default();
        }
        if self.on_behalf_only || !self.release.is_empty() {
            let flow = granted.flow.get_or_insert_with(|| Flow::public().clone());
            flow.of_own_accord &= !self.on_behalf_only;
            for text in &self.release {
                let wrong = || format!("--release {text:?} is not <audience>#<tool>=<label>,<label>, or *=<label>");
                let (tool, labels) = text.rsplit_once('=').ok_or_else(wrong)?;
                let labels = Labels::of(&labels.split(',').collect::<Vec<_>>()).filter(|labels| !labels.is_empty());
                let labels = labels.filter(|_| tool == "*" || split(tool).is_some()).ok_or_else(wrong)?;
                let released = flow.release.entry(tool.to_owned()).or_default();
                *released = std::mem::take(released).and(&labels);
            }
        }
        if !self.pin.is_empty() || !self.pin_below.is_empty() {
            let max_age = self.max_age.as_secs();
            let none = || Pins { holder: BTreeMap::new(), below: BTreeMap::new(), max_age };
            let pins = granted.pins.get_or_insert_with(none);
            for (texts, pinned) in [(&self.pin, &mut pins.holder), (&self.pin_below, &mut pins.below)] {
                for text in texts {
                    let (component, digest) = pin(text)
                        .ok_or_else(|| format!("{text:?} is not <component>=<digest>; `attest measure` prints both"))?;
                    pinned.entry(component).or_default().push(digest);
                }
            }
        }
        Ok(granted)
    }
}

fn pin(text: &str) -> Option<(Component, Digest)> {
    let (component, digest) = text.split_once('=')?;
    Some((Component::parse(component)?, Digest::from_b64(digest)?))
}

/// TOML goes the way of a token's own JSON, so that a file can say exactly what a token can.
fn from_file(path: &Path) -> Result<Granted, Failure> {
    let bytes = fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))?;
    let of = |what: String| format!("{}: {what}", path.display());
    if path.extension().is_none_or(|extension| extension != "toml") {
        let value = json::parse(&bytes).map_err(|e| of(e.to_string()))?;
        return Ok(Granted { tools: Some(Tools::read(&value).map_err(|e| of(e.to_string()))?), ..Granted::default() });
    }
    let text = String::from_utf8(bytes).map_err(|_| of("it is not UTF-8".to_owned()))?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| of(e.to_string()))?;
    let known = |name: &String| ["tools", "flow", "state"].contains(&name.as_str());
    if let Some(name) = table.keys().find(|name| !known(name)) {
        return Err(of(format!("{name:?} is no part of a grant; there are tools, flow and state")).into());
    }
    let part = |name: &str| -> Result<Option<Vec<u8>>, Failure> {
        let Some(mut value) = table.get(name).cloned() else { return Ok(None) };
        if let Some(release) = value.get_mut("release").and_then(toml::Value::as_table_mut) {
            // A set has one order on the wire, and any in a file.
            for labels in release.iter_mut().filter_map(|(_, labels)| labels.as_array_mut()) {
                labels.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
        }
        Ok(Some(serde_json::to_vec(&value)?))
    };
    let mut granted = Granted::default();
    if let Some(text) = part("tools")? {
        let value = json::parse(&text).map_err(|e| of(format!("tools: {e}")))?;
        granted.tools = Some(Tools::read(&value).map_err(|e| of(format!("tools: {e}")))?);
    }
    if let Some(text) = part("flow")? {
        let value = json::parse(&text).map_err(|e| of(format!("flow: {e}")))?;
        granted.flow = Flow::of(&value).map_err(|_| {
            of("flow has origin = \"self\" or no origin, and release with labels by tool: [flow.release] \"mail#send\" = [\"finance\"]".to_owned())
        })?;
    }
    if let Some(text) = part("state")? {
        let value = json::parse(&text).map_err(|e| of(format!("state: {e}")))?;
        granted.pins = Pins::of(&value).map_err(|_| {
            of("state has max_age in seconds, and holder or below with digests by component: [state.holder] system-prompt = [\"…\"]".to_owned())
        })?;
    }
    Ok(granted)
}
