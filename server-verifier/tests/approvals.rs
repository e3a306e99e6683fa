//! The folder of open requests: what people are asked, what counts, and that arguments are there no longer than a request is open.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

#[path = "../../attest-core/tests/common/mod.rs"]
mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::time::Duration;

use attest_core::approval::{Approval, Approver};
use attest_core::digest::{Digest, Jti, Salt};
use attest_core::json::{self, Value};
use attest_core::labels::Labels;
use attest_core::once::Once;
use attest_core::sign::{MemoryKey, Sign as _};
use attest_core::trust::Trust;
use attest_core::verifier::{Accepted, Verifier};
use common::{NOW, REQUEST, World};
use server_verifier::approvals::{
    Approvals, ApprovalsError, LeftError, MAX_OF_AGENT, Request, Requests, Standing, Why, find, leave, left,
    open_requests, refuse,
};

const SALT: Salt = Salt([8; 16]);

fn key(seed: u8) -> MemoryKey {
    MemoryKey::from_seed(&[seed; 32])
}

struct Desk {
    place: tempfile::TempDir,
    world: World,
    approvals: Approvals,
}

impl Desk {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        let approvals =
            Approvals::open(Requests::in_folder(&place.path().join("guard.db.approvals")), Duration::from_secs(600))
                .unwrap();
        Self { place, world: World::new(), approvals }
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("guard.db.approvals")
    }

    fn requests(&self) -> Requests {
        Requests::in_folder(&self.folder())
    }

    fn trust(&self) -> Trust {
        let person = |name: &str, seeds: &[u8]| Approver {
            name: name.to_owned(),
            groups: BTreeSet::from(["finance".to_owned()]),
            operates: BTreeSet::new(),
            keys: seeds.iter().map(|seed| key(*seed).public().clone()).collect(),
        };
        self.world.trust().with_approvers(vec![person("alice", &[21, 22]), person("bob", &[23])]).unwrap()
    }

    /// The standing of a call with this path for its argument.
    fn ask(&self, path: &str, now: u64) -> Result<Standing, ApprovalsError> {
        let request = REQUEST.replace("/srv/a.txt", path);
        let accepted = accepted(&self.world, &request);
        let message = json::parse(request.as_bytes()).unwrap();
        let params = message.as_object().unwrap().get("params").unwrap().as_object().unwrap();
        self.ask_with(&accepted, params.get("arguments"), now)
    }

    fn ask_with(
        &self,
        accepted: &Accepted,
        arguments: Option<&Value<'_>>,
        now: u64,
    ) -> Result<Standing, ApprovalsError> {
        let why = Why {
            by: &["two-persons".to_owned()],
            reason: "money leaves the house",
            needs: &[(2, "finance".to_owned())],
            risk: "critical",
            labels: &Labels::None,
        };
        self.approvals.ask(&self.trust(), accepted, arguments, &why, now)
    }

    fn only(&self) -> Request {
        find(&self.requests(), "", NOW).unwrap()
    }

    fn approve(&self, request: &Request, seed: u8) -> Result<(), LeftError> {
        let id = Jti([seed; 16]);
        leave(&self.requests(), request.id, id, &SALT, &approval(request, seed))
    }
}

fn accepted(world: &World, request: &str) -> Accepted {
    let [full, _] = world.forms(request, "files");
    common::check(&Verifier::new(world.trust()), &full, NOW).0.unwrap()
}

fn approval(request: &Request, seed: u8) -> String {
    let asked = request.asked();
    let once = Once {
        audience: request.audience.clone(),
        expires: request.expires,
        issued_at: NOW,
        id: Jti([seed; 16]),
        key: asked.key.clone(),
        params: Digest::salted(&SALT, asked.params),
        tool: asked.tool.to_owned(),
    };
    Approval { once, leaf: asked.leaf, request: asked.request, state: asked.state }.sign(&key(seed)).unwrap()
}

fn finance(persons: u32) -> BTreeMap<String, u32> {
    BTreeMap::from([("finance".to_owned(), persons)])
}

#[test]
fn two_persons_are_two_persons_and_a_retry_finds_what_was_left() {
    let desk = Desk::new();
    let first = desk.ask("/srv/a.txt", NOW).unwrap();
    assert!(first.persons.is_empty() && first.singles.is_empty() && !first.refused);
    let request = desk.only();
    assert_eq!(
        (request.id, request.params.as_str()),
        (first.request, r#"{"arguments":{"path":"/srv/a.txt"},"name":"read_file"}"#)
    );
    desk.approve(&request, 21).unwrap();
    desk.approve(&request, 22).unwrap();
    assert_eq!(desk.ask("/srv/a.txt", NOW).unwrap().persons, finance(1), "two keys of one person");
    desk.approve(&request, 23).unwrap();
    let both = desk.ask("/srv/a.txt", NOW + 30).unwrap();
    assert_eq!((both.request, both.persons, both.singles.len()), (first.request, finance(2), 2));
}

#[test]
fn what_was_approved_for_one_call_counts_for_no_other() {
    let desk = Desk::new();
    desk.ask("/srv/a.txt", NOW).unwrap();
    let request = desk.only();
    desk.approve(&request, 21).unwrap();
    let other = desk.ask("/etc/shadow", NOW).unwrap();
    assert_ne!(other.request, request.id);
    // Moved over by somebody who can write the folder.
    leave(&desk.requests(), other.request, Jti([21; 16]), &SALT, &approval(&request, 21)).unwrap();
    assert!(desk.ask("/etc/shadow", NOW).unwrap().persons.is_empty());
    assert_eq!(desk.ask("/srv/a.txt", NOW).unwrap().persons, finance(1));
}

#[test]
fn an_agent_that_drifted_asks_anew() {
    let mut desk = Desk::new();
    let before = desk.ask("/srv/a.txt", NOW).unwrap();
    let request = desk.only();
    desk.approve(&request, 21).unwrap();
    // Another grant.
    desk.world.tools.0.insert("mail#send".to_owned(), BTreeMap::new());
    let after = desk.ask("/srv/a.txt", NOW).unwrap();
    assert_ne!(before.request, after.request);
    assert!(after.persons.is_empty());
}

#[test]
fn words_that_somebody_changed_beside_a_call_let_nothing_through() {
    let desk = Desk::new();
    let standing = desk.ask("/etc/shadow", NOW).unwrap();
    let path = desk.folder().join(standing.request.to_b64()).join("request.json");
    let harmless = fs::read_to_string(&path).unwrap().replace("/etc/shadow", "/srv/a.txt");
    fs::write(&path, harmless).unwrap();
    let shown = desk.only();
    assert!(shown.params.contains("/srv/a.txt"));
    desk.approve(&shown, 21).unwrap();
    assert!(
        desk.ask("/etc/shadow", NOW).unwrap().persons.is_empty(),
        "what was shown was approved, and that is not asked"
    );
}

#[test]
fn a_refusal_stays_and_ends_the_approving() {
    let desk = Desk::new();
    desk.ask("/srv/a.txt", NOW).unwrap();
    let request = desk.only();
    refuse(&desk.requests(), request.id).unwrap();
    assert!(matches!(desk.approve(&request, 21), Err(LeftError::Refused)));
    assert!(desk.ask("/srv/a.txt", NOW).unwrap().refused);
}

#[test]
fn arguments_are_gone_when_a_request_is_over() {
    let desk = Desk::new();
    let ended = desk.ask("/srv/ended.txt", NOW).unwrap();
    let late = desk.ask("/srv/late.txt", NOW).unwrap();
    desk.approvals.end(ended.request);
    assert!(matches!(refuse(&desk.requests(), ended.request), Err(LeftError::Ended)));
    // Any later question sweeps.
    desk.ask("/srv/new.txt", NOW + 600).unwrap();
    let lying: Vec<_> = fs::read_dir(desk.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(lying.len(), 2, "the secret and the new one: {lying:?}");
    assert!(!lying.iter().any(|name| *name == *late.request.to_b64()));
}

#[test]
fn an_approval_that_comes_too_late_does_not_count() {
    let desk = Desk::new();
    desk.ask("/srv/a.txt", NOW).unwrap();
    let request = desk.only();
    desk.approve(&request, 21).unwrap();
    let late = desk.ask("/srv/a.txt", request.expires).unwrap();
    assert!(late.persons.is_empty(), "asked anew");
    assert!(open_requests(&desk.requests(), request.expires).unwrap()[0].asked == request.expires);
}

#[test]
fn a_restart_keeps_what_is_open() {
    let desk = Desk::new();
    let before = desk.ask("/srv/a.txt", NOW).unwrap();
    desk.approve(&desk.only(), 21).unwrap();
    fs::create_dir(desk.folder().join(Digest::of("half-made").to_b64())).unwrap();
    let again = Desk { approvals: Approvals::open(desk.requests(), Duration::from_secs(600)).unwrap(), ..desk };
    let after = again.ask("/srv/a.txt", NOW).unwrap();
    assert_eq!((after.request, after.persons), (before.request, finance(1)));
    assert_eq!(open_requests(&again.requests(), NOW).unwrap().len(), 1);
    assert!(!again.folder().join(Digest::of("half-made").to_b64()).exists());
}

#[test]
fn one_agent_cannot_fill_the_folder() {
    let desk = Desk::new();
    for n in 0..MAX_OF_AGENT {
        desk.ask(&format!("/srv/{n}"), NOW).unwrap();
    }
    assert!(matches!(desk.ask("/srv/more", NOW), Err(ApprovalsError::AgentFull(_))));
    assert!(desk.ask("/srv/0", NOW).is_ok(), "what is open already may be asked about");
    assert!(matches!(desk.ask(&"a".repeat(300_000), NOW), Err(ApprovalsError::TooLong)));
}

#[test]
fn arguments_that_are_not_those_of_the_call_are_shown_to_nobody() {
    let desk = Desk::new();
    let accepted = accepted(&desk.world, REQUEST);
    let other = json::parse(br#"{"path":"/srv/b.txt"}"#).unwrap();
    assert!(matches!(desk.ask_with(&accepted, Some(&other), NOW), Err(ApprovalsError::NotBound)));
    assert!(matches!(desk.ask_with(&accepted, None, NOW), Err(ApprovalsError::NotBound)));
}

#[test]
fn the_folder_is_its_owners_alone_and_follows_no_link() {
    let desk = Desk::new();
    let standing = desk.ask("/srv/a.txt", NOW).unwrap();
    let place = desk.folder().join(standing.request.to_b64());
    let mode = |path: &PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&desk.folder()), mode(&place), mode(&place.join("request.json"))), (0o700, 0o700, 0o600));
    symlink("/dev/zero", place.join("a.approval")).unwrap();
    fs::write(place.join("b.approval"), vec![b'x'; 200_000]).unwrap();
    fs::write(place.join("c.approval"), b"{\"salt\":1}").unwrap();
    assert!(left(&desk.requests(), standing.request).unwrap().approvals.is_empty());
    fs::set_permissions(desk.folder(), fs::Permissions::from_mode(0o750)).unwrap();
    let error = Approvals::open(desk.requests(), Duration::from_secs(1)).unwrap_err().to_string();
    assert!(error.contains("chmod 700"), "{error}");
}

#[test]
fn names_say_nothing_of_arguments() {
    let (one, other) = (Desk::new(), Desk::new());
    let name = |desk: &Desk| desk.ask("/srv/a.txt", NOW).unwrap().request;
    assert_ne!(name(&one), name(&other), "made with a secret of each folder");
    assert_eq!(name(&one), name(&one));
    for n in 0..60 {
        let request = one.ask(&format!("/srv/{n}"), NOW).unwrap().request;
        assert!(!request.to_b64().starts_with('-'), "it would be an option");
        one.approvals.end(request);
    }
}

#[test]
fn who_waits_is_told_of_what_was_left_and_of_the_end() {
    let desk = Desk::new();
    let request = desk.ask("/srv/a.txt", NOW).unwrap().request;
    assert!(!desk.approvals.has_changed(request), "nothing happened");
    desk.approve(&desk.only(), 21).unwrap();
    assert!(desk.approvals.has_changed(request));
    desk.ask("/srv/a.txt", NOW).unwrap();
    assert!(!desk.approvals.has_changed(request), "that was seen");
    desk.approvals.end(request);
    assert!(desk.approvals.has_changed(request));
}
