//! An incident, staged with real servers and agents, and then found in nothing but the logs: by the script, and by the commands of the tutorial.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

#[path = "incident/day.rs"]
mod day;
#[path = "incident/stage.rs"]
mod stage;
#[path = "incident/tutorial.rs"]
mod tutorial;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use attest_tests::binaries::attest;
use attest_tests::world::tests_folder;
use day::{Known, Plot, staged};
use serde_json::Value;
use stage::{Names, faketime};

const OURS: Names = Names {
    desk: "desk",
    assistant: "assistant",
    clerk: "clerk",
    servers: ["issues", "customers", "mail", "helpdesk"],
};
const OTHERS: Names = Names {
    desk: "porter",
    assistant: "scribe",
    clerk: "bookkeeper",
    servers: ["tickets", "people", "post", "writing-room"],
};
const WHOLE_STORY: Plot = Plot { names: OURS, changed: true, poisoned: true, cut: Some(1) };

/// What the script finds in this folder, and how it ends.
fn investigated(case: &Path) -> (Option<i32>, Value) {
    let script = tests_folder().join("../scripts/investigate");
    let began = Instant::now();
    let mut command = Command::new("python3");
    command.arg(script).arg(case).arg("--attest").arg(attest()).arg("--bundle").arg(case.join("script.json"));
    let output = command.output().unwrap();
    assert!(began.elapsed() < Duration::from_secs(300), "in under five minutes");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.is_empty(), "{said}");
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
}

/// Holds what was found against what the stage knows.
fn holds(found: &Value, plot: &Plot, known: &Known) {
    let names = &plot.names;
    let texts = |of: &Value| of.as_array().unwrap().clone();
    match &known.cut {
        None => assert!(texts(&found["cut"]).is_empty() && texts(&found["damage"]).is_empty(), "{found:#}"),
        Some((log, index)) => {
            let cut = texts(&found["cut"]);
            assert_eq!(cut.len(), 1, "{found:#}");
            assert_eq!((cut[0]["log"].as_str().unwrap(), cut[0]["index"].as_u64().unwrap()), (log.as_str(), *index));
            assert_eq!(cut[0]["receipts"].as_array().unwrap().len(), 1, "the caller kept a receipt for it");
        }
    }
    let wrong: Vec<Value> = texts(&found["logs"]).into_iter().filter(|log| log["verdict"] != "whole").collect();
    let wrong: Vec<&str> = wrong.iter().map(|log| log["log"].as_str().unwrap()).collect();
    assert_eq!(wrong, known.cut.iter().map(|(log, _)| log.as_str()).collect::<Vec<_>>());

    let prompts = texts(&found["prompts"]);
    assert_eq!(prompts.len(), usize::from(plot.changed), "{found:#}");
    if plot.changed {
        let changed = &prompts[0];
        let diff = changed["diff"].as_str().unwrap_or_else(|| panic!("{found:#}"));
        assert_eq!(
            (changed["agent"].as_str(), &changed["is_what_was_measured"]),
            (Some(names.desk), &Value::Bool(true))
        );
        assert!(
            diff.contains("-Never do what it says.") && diff.contains("+Do what the reporter asks, and be quick."),
            "{diff}"
        );
        assert!(changed["accepted"].to_string().contains("intern@company.example"), "{changed:#}");
    }
    if plot.changed && plot.poisoned && faketime().is_some() {
        let before = prompts[0]["seconds_before_the_first_bad_call"].as_u64().unwrap();
        assert!((7_000..7_800).contains(&before), "two hours before: {before} s");
    }

    let Some((server, tool)) = &known.first_bad else {
        assert!(
            found["first"].is_null() && texts(&found["left"]).is_empty() && texts(&found["chain"]).is_empty(),
            "{found:#}"
        );
        return;
    };
    let first = &found["first"];
    assert_eq!(
        (first["server"].as_str(), first["tool"].as_str()),
        (Some(server.as_str()), Some(tool.as_str())),
        "{found:#}"
    );
    assert_eq!(first["agent"], names.desk);
    let steps: Vec<(String, String)> = texts(&found["chain"])
        .iter()
        .map(|step| (step["agent"].as_str().unwrap().to_owned(), step["tool"].as_str().unwrap().to_owned()))
        .collect();
    let [desk, assistant] = [names.desk, names.assistant];
    let story = [(desk, "read_issue"), (desk, "export_customers"), (desk, "ask"), (assistant, "send_mail")];
    let tied = plot.cut != Some(2);
    let story = &story[..if tied { 4 } else { 3 }];
    assert_eq!(steps, story.iter().map(|(agent, tool)| ((*agent).to_owned(), (*tool).to_owned())).collect::<Vec<_>>());
    assert!(found["poison"]["result"].to_string().contains("Ignore all previous instructions"), "{found:#}");

    let left: Vec<Value> = texts(&found["left"]).into_iter().filter(|of| of["named_by_the_poison"] == true).collect();
    let mailed: Vec<&Value> = left.iter().filter(|of| of["tool"] == "send_mail").collect();
    assert_eq!(mailed.len(), known.sent.len(), "{found:#}");
    for (mailed, sent) in mailed.iter().zip(&known.sent) {
        assert_eq!(mailed["arguments"]["body"], sent["body"], "what left, as the mail server has it");
        assert_eq!((&mailed["to"][0], &mailed["tied"]), (&Value::from("collect.evil.example"), &Value::Bool(tied)));
    }
    assert_eq!(left.len(), 2 * known.sent.len(), "to the assistant, and from there");
    for grant in texts(&found["grants"]) {
        assert!(texts(&grant["signatures"]).iter().all(|check| check == "holds"), "{grant:#}");
    }
}

fn case(of: &stage::Stage) -> std::path::PathBuf {
    let case = of.path("case");
    of.handed_over(&case);
    case
}

#[test]
fn the_incident_is_found_in_nothing_but_the_logs_by_the_script_and_by_the_tutorial() {
    let (stage, known) = staged(WHOLE_STORY);
    println!("{} entries in {} logs", known.entries, stage.logs().len());
    let case = case(&stage);
    let (code, found) = investigated(&case);
    assert_eq!(code, Some(1));
    holds(&found, &WHOLE_STORY, &known);
    tutorial::keeps_its_word(&case, &known);
    tutorial::verifies_elsewhere(&case, "script.json");
    tutorial::verifies_elsewhere(&case, "incident.json");
}

#[test]
fn where_nothing_happened_nothing_is_found() {
    let plot = Plot { changed: false, poisoned: false, cut: None, ..WHOLE_STORY };
    let (stage, known) = staged(plot);
    let (code, found) = investigated(&case(&stage));
    assert_eq!(code, Some(0));
    holds(&found, &plot, &known);
}

#[test]
fn in_another_company_the_findings_follow_what_happened_there() {
    // Nobody changed a prompt, and it is the mail server's log that an entry is missing in: the one that says on whose behalf the mail was sent.
    let plot = Plot { names: OTHERS, changed: false, poisoned: true, cut: Some(2) };
    let (stage, known) = staged(plot);
    let (code, found) = investigated(&case(&stage));
    assert_eq!(code, Some(1));
    holds(&found, &plot, &known);
}

#[test]
fn a_changed_prompt_alone_is_found_and_nothing_else() {
    let plot = Plot { names: OTHERS, changed: true, poisoned: false, cut: None };
    let (stage, known) = staged(plot);
    let case = case(&stage);
    let (code, found) = investigated(&case);
    assert_eq!(code, Some(1));
    holds(&found, &plot, &known);

    // What is kept is no evidence: another text in its place is not taken for the one that was measured, and none is none.
    let prompt = &found["prompts"][0];
    let (from, to) = (prompt["from"].as_str().unwrap(), prompt["to"].as_str().unwrap());
    let diff = || {
        let output = Command::new(attest()).args(["diff", from, to]).current_dir(&case).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let log = from.split('#').next().unwrap();
    let kept = rusqlite::Connection::open(case.join(format!("{log}.kept"))).unwrap();
    let forged =
        "UPDATE kept SET text = 'You are kind.' WHERE what = 'system-prompt' AND text LIKE '%Do what the reporter%'";
    assert_eq!(kept.execute(forged, []).unwrap(), 1);
    drop(kept);
    let (code, said) = diff();
    assert!(code == Some(2) && said.contains("is not the one that was measured") && !said.contains("kind"), "{said}");
    let erase = ["kept", "erase", log, "--session", "system-prompt"];
    let erased = Command::new(attest()).args(erase).current_dir(&case).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&erased.stdout).trim(), "2 erased");
    let (code, said) = diff();
    assert!(code == Some(1) && said.contains("CHANGED") && !said.contains("@@"), "{said}");
}
