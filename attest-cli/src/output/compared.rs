//! What two states differ in, for a person.

use attest_measure::diff::{Change, ComponentChange, FilesChange, SettingChange, TensorsChange, TextChange};

use super::line;
use crate::verbs::diff::{Compared, Settings};

/// Names shown of each kind; the rest is counted, and stands in --json.
const MOST: usize = 20;

/// Everything in it may come from a stranger's manifest, so names and texts are escaped.
pub(crate) fn compared(compared: &Compared) {
    let Compared { report, prompt, prompt_measured, settings, differs } = compared;
    let [a, b] = &report.agents;
    if a != b {
        line(format!("agents         {} and {}", visible(a), visible(b)));
    }
    for component in &report.components {
        one(component);
    }
    report.files.iter().filter(|change| !change.summary.is_empty()).for_each(files);
    if let Some(change) = &report.tensors {
        tensors(change);
    }
    if let Some(change) = prompt {
        text(change);
        if *prompt_measured == Some(false) {
            line("  this is what redaction left of the texts; they are not proved to be what was measured");
        }
    }
    if let Some(change) = settings {
        members(change);
    }
    line(if *differs { "the two differ" } else { "the two are the same" });
}

fn one(component: &ComponentChange) {
    let ComponentChange { component, change, grades, .. } = component;
    let grades = match grades {
        [Some(a), Some(b)] if a == b => format!("  {a}"),
        [Some(a), Some(b)] => format!("  {a} in A, {b} in B"),
        [a, b] => a.or(*b).map_or_else(String::new, |grade| format!("  {grade}")),
    };
    line(format!("{component:<14} {:<9}{grades}", word(*change)).trim_end());
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Same => "same",
        Change::Changed => "CHANGED",
        Change::OnlyInA => "only in A",
        Change::OnlyInB => "only in B",
    }
}

fn files(change: &FilesChange) {
    line(format!("\n{}: {}", change.component, change.summary));
    names("removed", change.removed.iter().map(|name| visible(name)));
    names("added", change.added.iter().map(|name| visible(name)));
    let sizes = |[a, b]: [u64; 2]| if a == b { String::new() } else { format!("  ({a} to {b} bytes)") };
    names("changed", change.changed.iter().map(|file| visible(&file.name) + &sizes(file.sizes)));
}

fn tensors(change: &TensorsChange) {
    line(format!("\ntensors: {}", change.summary));
    let what = |change: &attest_measure::diff::TensorChange| format!("{:?}", change.what).to_lowercase();
    for change in change.differ.iter().take(MOST) {
        line(format!("  {:<8} {}", what(change), visible(&change.name)));
    }
    more(change.differ.len());
}

fn text(change: &TextChange) {
    match (change.added, change.removed) {
        (0, 0) => line("\nsystem prompt: the same text"),
        (added, removed) => {
            line(format!("\nsystem prompt: {added} lines added, {removed} removed"));
            for text in change.unified.lines() {
                line(visible(text));
            }
        }
    }
}

fn members(settings: &Settings) {
    line(match settings.changes.len() {
        0 => "\nsettings: the same members with the same values".to_owned(),
        count => format!("\nsettings: {count} places differ"),
    });
    for SettingChange { path, change } in settings.changes.iter().take(MOST) {
        line(format!("  {:<9} {}", word(*change).to_lowercase(), visible(if path.is_empty() { "/" } else { path })));
    }
    more(settings.changes.len());
    for (side, _) in ["A", "B"].iter().zip(settings.measured).filter(|(_, measured)| !measured) {
        line(format!(
            "  the file given for {side} alone is not what was measured: it is another one, or variables were measured with it"
        ));
    }
}

fn names(what: &str, names: impl ExactSizeIterator<Item = String>) {
    let count = names.len();
    for name in names.take(MOST) {
        line(format!("  {what:<8} {name}"));
    }
    more(count);
}

fn more(count: usize) {
    if count > MOST {
        line(format!("  and {} more; see them with --json", count - MOST));
    }
}

/// A text with whatever a terminal obeys, or nobody sees, escaped; quotes and tabs stay as they are.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\'' | '\\' | '\t' => out.push(c),
            c => out.extend(c.escape_debug()),
        }
    }
    out
}
