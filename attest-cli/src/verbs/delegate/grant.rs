//! What is to be granted: flags, and a file in TOML or JSON.

use std::collections::BTreeMap;
use std::path::PathBuf;

use agent_signer::grant_file;
use attest_core::derivation::Granted;
use attest_core::digest::Digest;
use attest_core::flow::Flow;
use attest_core::labels::Labels;
use attest_core::measurement::Component;
use attest_core::pins::Pins;
use attest_core::tools::split;

use super::Failure;

/// What a token grants.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct GrantArgs {
    /// Grant this tool with any arguments: `<server audience>#<tool>`; may be repeated
    #[arg(long = "tool", value_name = "AUDIENCE#TOOL")]
    tools: Vec<String>,
    /// Grant what this file says: TOML with the tables `tools."<audience>#<tool>"`, `flow`, `flow.release` and `state`; or JSON with the same, or the tools alone
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

impl GrantArgs {
    /// Reads the file, and adds what the flags say.
    pub(crate) fn read(&self) -> Result<Granted, Failure> {
        let mut granted = match &self.grant {
            Some(path) => grant_file::read(path)?,
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
