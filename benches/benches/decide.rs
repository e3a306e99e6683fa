//! What a decision costs with 20 and with 200 policies, beside Cedar alone with the request made beforehand.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

use std::hint::black_box;

use attest_benches::policies::{all_apply, mixed};
use attest_core::json;
use attest_policy::{Arguments, Decision, Facts, Policies};
use cedar_policy::{Authorizer, Context, Entities, Entity, PolicySet, Request, RestrictedExpression};
use criterion::{Criterion, criterion_group, criterion_main};

const FACTS: &[u8] = br#"{"agent":"a1","alerts":[],"asked":{"tool":"send_email"},"classes":["send"],"components":[{"component":"config","digest":"nFq0HuRZMKjOSXPa7h1yvAFk20ixldIKDyGpNLp5dME","grade":"on-disk"},{"component":"system-prompt","digest":"nFq0HuRZMKjOSXPa7h1yvAFk20ixldIKDyGpNLp5dME","grade":"on-disk"}],"delegation":{"depth":2,"holder":"nRIE2VmKdMjL1JD7tbV7fXVgXxmv0GKnMFWRUJMTf9Q","left":900,"root":"owner"},"groups":["staff"],"labels":["internal"],"met":{"approvals":[],"nonce":false,"reattest":false},"risk":"medium","server":"mail","time":1800000000}"#;
const ARGUMENTS: &[u8] = br#"{"to":"bob@example.com","subject":"hello","body":"how are you"}"#;

fn bare(text: &str) -> (PolicySet, Request, Entities) {
    let set = |items: &[&str]| {
        RestrictedExpression::new_set(items.iter().map(|item| item.parse::<RestrictedExpression>().unwrap()))
    };
    let context = Context::from_pairs([
        ("risk".to_owned(), set(&["Risk::\"low\"", "Risk::\"medium\""])),
        ("alerts".to_owned(), set(&[])),
        ("labels".to_owned(), set(&["\"internal\""])),
        ("hour".to_owned(), RestrictedExpression::new_long(8)),
        ("texts".to_owned(), "Texts::\"of-the-call\"".parse().unwrap()),
    ])
    .unwrap();
    let uid = |text: &str| text.parse::<cedar_policy::EntityUid>().unwrap();
    let (agent, tool) = (uid("Agent::\"a1\""), uid("Tool::\"mail#send_email\""));
    let tags = [("/to".to_owned(), RestrictedExpression::new_string("bob@example.com".to_owned()))];
    let entities = Entities::from_entities(
        [
            Entity::new_no_attrs(agent.clone(), [uid("Group::\"staff\"")].into()),
            Entity::new_no_attrs(tool.clone(), [uid("Server::\"mail\""), uid("Class::\"send\"")].into()),
            Entity::new_with_tags(uid("Texts::\"of-the-call\""), [], [], tags).unwrap(),
        ],
        None,
    )
    .unwrap();
    let request = Request::new(agent, uid("Action::\"call\""), tool, context, None).unwrap();
    (text.parse().unwrap(), request, entities)
}

fn decide(c: &mut Criterion) {
    let arguments = json::parse(ARGUMENTS).unwrap();
    let facts = Facts { arguments: Arguments::Given(&arguments), ..Facts::read(FACTS).unwrap() };
    for count in [20, 200] {
        for (kind, text) in [("mixed", mixed(count, "mail#send_email")), ("all apply", all_apply(count))] {
            let policies = Policies::read(&[("bench", &text)]).unwrap();
            assert_eq!(policies.decide(&facts), Decision::Allow);
            c.bench_function(&format!("{count} {kind}/decide"), |b| {
                b.iter(|| black_box(policies.decide(black_box(&facts))))
            });
            let (set, request, entities) = bare(&text);
            let authorizer = Authorizer::new();
            c.bench_function(&format!("{count} {kind}/Cedar alone"), |b| {
                b.iter(|| black_box(authorizer.is_authorized(black_box(&request), &set, &entities)));
            });
        }
    }
}

criterion_group!(benches, decide);
criterion_main!(benches);
