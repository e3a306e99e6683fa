//! Replaces what may differ between two runs of one scenario.

use std::collections::BTreeMap;
use std::path::Path;

use regex::{NoExpand, Regex};
use rmcp::model::JsonObject;
use serde_json::Value;

/// `_meta` keys that attest adds; everything else must pass unchanged.
const OURS: &str = "io.github.agent-attest/";

pub(super) struct Normaliser {
    /// The folder's names, longest first: one may begin with the other.
    paths: Vec<String>,
    masks: Vec<(Regex, String)>,
}

impl Normaliser {
    pub(super) fn new(workdir: Option<&Path>, masks: &[(String, String)]) -> Result<Self, regex::Error> {
        let mut paths: Vec<String> = workdir
            .into_iter()
            .flat_map(|path| [Some(path.to_owned()), path.canonicalize().ok()])
            .flatten()
            .map(|path| path.display().to_string())
            .collect();
        paths.sort_by_key(|path| std::cmp::Reverse(path.len()));
        paths.dedup();
        let masks = masks.iter().map(|(pattern, text)| Ok((Regex::new(pattern)?, text.clone())));
        Ok(Self { paths, masks: masks.collect::<Result<_, regex::Error>>()? })
    }

    pub(super) fn apply(&self, value: Value) -> Value {
        match value {
            Value::Object(members) => {
                let members = members.into_iter().filter_map(|(key, item)| {
                    let item = if key == "_meta" { without_ours(item)? } else { item };
                    Some((key, self.apply(item)))
                });
                // The order of members means nothing, and a map of serde_json may keep that of the text.
                let sorted: BTreeMap<String, Value> = members.collect();
                Value::Object(sorted.into_iter().collect())
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.apply(item)).collect()),
            Value::String(text) => Value::String(self.mask(text)),
            other => other,
        }
    }

    fn mask(&self, text: String) -> String {
        let text = self.paths.iter().fold(text, |text, path| text.replace(path, "<workdir>"));
        self.masks.iter().fold(text, |text, (pattern, with)| pattern.replace_all(&text, NoExpand(with)).into_owned())
    }
}

/// The `_meta` without attest's keys; nothing when nothing else was in it.
fn without_ours(meta: Value) -> Option<Value> {
    let Value::Object(members) = meta else { return Some(meta) };
    let kept: JsonObject = members.into_iter().filter(|(key, _)| !key.starts_with(OURS)).collect();
    (!kept.is_empty()).then_some(Value::Object(kept))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_our_own_meta_keys_are_left_out() {
        let normaliser = Normaliser::new(None, &[]).unwrap();
        let ours = format!("{OURS}receipt");
        assert_eq!(normaliser.apply(json!({"_meta": {ours.clone(): 1}, "a": 1})), json!({"a": 1}));
        assert_eq!(normaliser.apply(json!({"_meta": {ours: 1, "b/c": 2}})), json!({"_meta": {"b/c": 2}}));
    }

    #[test]
    fn the_folder_and_what_the_scenario_masks_are_replaced_everywhere() {
        let masks = [("at \\d+".to_owned(), "at <time> $0".to_owned())];
        let normaliser = Normaliser::new(Some(Path::new("/no/such/folder")), &masks).unwrap();
        let value = json!([{"text": "made in /no/such/folder/x at 12"}]);
        assert_eq!(normaliser.apply(value), json!([{"text": "made in <workdir>/x at <time> $0"}]));
    }
}
