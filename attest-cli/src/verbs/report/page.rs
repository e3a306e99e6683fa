//! The page. Everything in it is shown as text: what agents and servers call themselves is theirs to choose.

use std::path::Path;

use attest_core::alert::Severity;
use attest_forensics::timeline::Moment;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Log, Report};
use crate::output;

const STYLE: &str = include_str!("page.css");

pub(super) fn whole(report: &Report<'_>) -> String {
    let policy = "default-src 'none'; style-src 'unsafe-inline'";
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { (report.title) }
                    p { "Made " (output::time(report.made)) " from the logs below. This page proves nothing; each line names the entry that it was read from, and the commands check that entry without asking anybody." }
                    (logs(report))
                    (changes(report))
                    (alerts(report))
                    (refusals(report))
                    (traces(report))
                    (timeline(report))
                }
            }
        }
    };
    page.into_string()
}

/// A file's name, as a shell takes it.
fn file(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn logs(report: &Report<'_>) -> Markup {
    html! {
        section {
            h2 { "Logs" }
            table {
                thead { tr { th { "log" } th { "entries" } th { "to check it whole" } } }
                tbody {
                    @for Log { file: path, evidence } in &report.logs {
                        @let key = evidence.keys().to_lines().last().cloned().unwrap_or_default();
                        tr {
                            td { (evidence.origin()) @if let Some(owner) = evidence.owner() { ", of the agent " (owner) } }
                            td.number { (evidence.size()) }
                            td { code { "attest log verify " (file(path)) " --key '" (key) "'" } }
                        }
                    }
                }
            }
            p { "A key that stands here came with its log. Compare it with one that you have from elsewhere." }
            p { "One entry: " code { "attest log prove LOG N | attest log check-proof - --key KEY" } }
        }
    }
}

/// The entry that a line was read from.
fn at(report: &Report<'_>, moment: &Moment) -> Markup {
    let of = report.logs.get(moment.log).map(|log| file(log.file)).unwrap_or_default();
    html! { code { (of) "#" (moment.row.index) } }
}

fn changes(report: &Report<'_>) -> Markup {
    let changed: Vec<&Moment> = report.moments.iter().filter(|moment| !moment.changed.is_empty()).collect();
    html! {
        section {
            h2 { "States" }
            @if changed.is_empty() { p { "No agent's state was seen." } } @else {
                table {
                    thead { tr { th { "from" } th { "agent" } th { "component" } th { "before" } th { "after" } th { "entry" } } }
                    tbody {
                        @for moment in changed {
                            @for change in &moment.changed {
                                tr.drift[change.before.is_some()] {
                                    td { (output::time(moment.row.time)) }
                                    td { (moment.row.agent.as_deref().unwrap_or("")) }
                                    td { (change.component) }
                                    td { code { (change.before.map_or_else(|| "first seen".to_owned(), |digest| digest.to_string())) } }
                                    td { code { (change.after.map_or_else(|| "gone".to_owned(), |digest| digest.to_string())) } }
                                    td { (at(report, moment)) }
                                }
                            }
                        }
                    }
                }
                p { "What two states differ in: " code { "attest diff LOG#N LOG#M" } }
            }
        }
    }
}

fn alerts(report: &Report<'_>) -> Markup {
    let alerts: Vec<&Moment> = report.moments.iter().filter(|moment| moment.row.kind == "alert").collect();
    html! {
        section {
            h2 { "Alerts" }
            @if alerts.is_empty() { p { "None." } } @else {
                table {
                    thead { tr { th { "time" } th { "severity" } th { "rule" } th { "server" } th { "tool" } th { "what" } th { "entry" } } }
                    tbody {
                        @for moment in alerts {
                            tr.bad[moment.row.severity.is_some_and(|severity| severity >= Severity::High)] {
                                td { (output::time(moment.row.time)) }
                                td { (moment.row.severity.map_or("", Severity::as_str)) }
                                td { (moment.row.reason.as_deref().unwrap_or("")) }
                                td { (moment.row.server.as_deref().unwrap_or("")) }
                                td { (moment.row.tool.as_deref().unwrap_or("")) }
                                td { (moment.row.words) }
                                td { (at(report, moment)) }
                            }
                        }
                    }
                }
                p { "The rules over the same entries: " code { "attest alerts replay LOG" } }
            }
        }
    }
}

fn refusals(report: &Report<'_>) -> Markup {
    let denied: Vec<&Moment> = report.moments.iter().filter(|moment| moment.row.verdict == Some("deny")).collect();
    html! {
        section {
            h2 { "Refused calls" }
            @if denied.is_empty() { p { "None." } } @else { (rows(report, &denied)) }
        }
    }
}

fn traces(report: &Report<'_>) -> Markup {
    let files = report.logs.iter().map(|log| file(log.file)).collect::<Vec<_>>().join(" ");
    let trust = report.trust.map(|path| format!(" --trust {}", file(path))).unwrap_or_default();
    html! {
        @for (call, tree) in &report.traces {
            section {
                h2 { "Where call " code { (call.to_string().chars().take(8).collect::<String>()) } " came from, and what it led to" }
                pre tabindex="0" { (anstream::adapter::strip_str(tree)) }
                p { code { "attest trace " (call) " " (files) (trust) } }
            }
        }
    }
}

fn timeline(report: &Report<'_>) -> Markup {
    let all: Vec<&Moment> = report.moments.iter().collect();
    html! {
        section {
            h2 { "What happened" }
            (rows(report, &all))
            @if report.cut { p.bad { "There is more: this page holds the first " (all.len()) " lines. Ask for less with --since and --until." } }
        }
    }
}

fn rows(report: &Report<'_>, moments: &[&Moment]) -> Markup {
    html! {
        table {
            thead { tr { th { "time" } th { "what" } th { "agent" } th { "server" } th { "tool" } th { "why" } th { "words" } th { "entry" } } }
            tbody {
                @for moment in moments {
                    @let row = &moment.row;
                    tr.bad[row.verdict == Some("deny")] {
                        td { (output::time(row.time)) @if moment.times > 1 { " (" (moment.times) " times until " (output::time(moment.last)) ")" } }
                        td { (row.verdict.unwrap_or(row.kind)) }
                        td { (row.agent.as_deref().unwrap_or("")) }
                        td { (row.server.as_deref().unwrap_or("")) }
                        td { (row.tool.as_deref().unwrap_or("")) }
                        td { (row.reason.as_deref().unwrap_or("")) }
                        td { (row.words) @if !row.labels.is_empty() { ", had seen " (row.labels.join(" ")) } }
                        td { (at(report, moment)) }
                    }
                }
            }
        }
    }
}
