//! Chains of delegation that say more than they were given, before a guard that runs: real keys, real signatures.

use attest_core::delegation::{Delegation, thumbprint_uri};
use attest_core::digest::Digest;
use attest_core::json;
use attest_core::jws::Unverified;
use attest_core::sign::Sign as _;
use attest_core::tools::Tools;
use attest_keys::SecretKey;
use attest_tests::client::{Client, reason};
use attest_tests::forge::{Forge, now};
use attest_tests::world::World;
use serde_json::{Value, json};

/// A guard, its root's key, somebody in the middle and the agent at the end.
struct Chained {
    world: World,
    forge: Forge,
    middle: SecretKey,
    client: Client,
    calls: u64,
}

/// What a token says of one argument.
fn argument(constraint: Value) -> Tools {
    tools(&json!({"tools#show": {"x": constraint}}))
}

fn tools(value: &Value) -> Tools {
    let text = value.to_string();
    Tools::read(&json::parse(text.as_bytes()).unwrap()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

impl Chained {
    fn new() -> Self {
        let world = World::new();
        let forge = Forge::of(&world);
        let client = world.start_guard();
        Self { world, forge, middle: SecretKey::generate().unwrap(), client, calls: 0 }
    }

    fn root(&self, tools: Tools) -> Delegation {
        let issued_at = now();
        Delegation {
            issuer: "self".to_owned(),
            id: "AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
            issued_at,
            expires: issued_at + 600,
            key: self.middle.public().clone(),
            depth: 0,
            max_depth: 4,
            parent: None,
            tools,
            flow: None,
            pins: None,
            by: None,
            status: None,
        }
    }

    /// A token below `parent`, which its holder is to sign.
    fn below(&self, parent: &str, holder: &SecretKey) -> Delegation {
        let read = Unverified::<Delegation>::read(parent).unwrap();
        let parent = read.peek();
        Delegation {
            issuer: thumbprint_uri(parent.key.thumbprint()),
            key: holder.public().clone(),
            depth: parent.depth + 1,
            parent: Some(Digest::of(read.signing_input())),
            flow: None,
            ..parent.clone()
        }
    }

    /// What the guard says to a call under this chain: `None` where it ran.
    fn says(&mut self, chain: Vec<String>, x: &Value) -> Option<String> {
        self.calls += 1;
        self.forge.chain = chain;
        self.client.send(self.forge.call(self.calls, "show", json!({"x": x})).line);
        let answer = self.client.answer(self.calls);
        if answer["result"].is_object() { None } else { Some(reason(&answer).to_owned()) }
    }

    /// The same under a root that says `parent`, and a child that says `child`.
    fn derived(&mut self, parent: Tools, child: Tools, x: &Value) -> Option<String> {
        let root = self.root(parent).sign(&self.forge.root).unwrap();
        let leaf = Delegation { tools: child, ..self.below(&root, &self.forge.agent) }.sign(&self.middle).unwrap();
        self.says(vec![root, leaf], x)
    }
}

#[test]
fn a_child_that_widens_any_kind_of_constraint_is_refused_and_one_that_narrows_it_is_not() {
    let exact = |value: Value| json!({"constraint_type": "exact", "value": value});
    let range = |min: i32, max: i32, inclusive: bool| json!({"constraint_type": "range", "min": min, "min_inclusive": true, "max": max, "max_inclusive": inclusive});
    let one_of = |values: Value| json!({"constraint_type": "one_of", "values": values});
    let not_one_of = |values: Value| json!({"constraint_type": "not_one_of", "excluded": values});
    let contains = |values: Value| json!({"constraint_type": "contains", "required": values});
    let subset = |values: Value| json!({"constraint_type": "subset", "allowed": values});
    let folder = |path: &str| json!({"constraint_type": "io.github.agent-attest/path_prefix", "prefix": path});
    let all = |clauses: Vec<Value>| json!({"constraint_type": "all", "constraints": clauses});
    let any = |clauses: Vec<Value>| json!({"constraint_type": "any", "constraints": clauses});
    let wildcard = json!({"constraint_type": "wildcard"});
    // The parent's, a narrower one, those that are none, and what the narrower one allows.
    let kinds = [
        (
            exact(json!(1)),
            exact(json!(1)),
            vec![exact(json!(2)), exact(json!("1")), wildcard.clone(), one_of(json!([1, 2]))],
            json!(1),
        ),
        (
            range(0, 10, false),
            range(1, 5, true),
            vec![range(-1, 5, true), range(0, 11, false), range(0, 10, true), exact(json!(10))],
            json!(2),
        ),
        (
            one_of(json!(["a", "b"])),
            one_of(json!(["a"])),
            vec![one_of(json!(["a", "c"])), exact(json!("c")), not_one_of(json!(["c"]))],
            json!("a"),
        ),
        (
            not_one_of(json!(["a"])),
            not_one_of(json!(["a", "b"])),
            vec![not_one_of(json!(["b"])), exact(json!("a")), wildcard.clone()],
            json!("z"),
        ),
        (
            contains(json!(["a"])),
            contains(json!(["a", "b"])),
            vec![contains(json!(["b"])), subset(json!(["a"])), wildcard.clone()],
            json!(["a", "b"]),
        ),
        (
            subset(json!(["a", "b"])),
            subset(json!(["a"])),
            vec![subset(json!(["a", "c"])), contains(json!(["a"])), wildcard.clone()],
            json!(["a"]),
        ),
        (
            folder("/srv/a"),
            folder("/srv/a/b"),
            vec![folder("/srv"), folder("/srv/ab"), exact(json!("/srv/a/../b")), exact(json!("/etc/passwd"))],
            json!("/srv/a/b/c"),
        ),
        (
            all(vec![range(0, 10, true), not_one_of(json!([3]))]),
            all(vec![range(0, 5, true), not_one_of(json!([3, 4]))]),
            vec![all(vec![range(0, 5, true)]), all(vec![range(0, 5, true), range(0, 6, true)]), range(0, 5, true)],
            json!(2),
        ),
        (
            any(vec![exact(json!(1)), exact(json!(2))]),
            any(vec![exact(json!(1))]),
            vec![any(vec![exact(json!(1)), exact(json!(3))]), any(vec![wildcard.clone()]), wildcard.clone()],
            json!(1),
        ),
    ];
    let mut chained = Chained::new();
    for (parent, narrower, wider, x) in kinds {
        let came = chained.derived(argument(parent.clone()), argument(narrower.clone()), &x);
        assert_eq!(came, None, "{narrower} below {parent}");
        for child in wider {
            let came = chained.derived(argument(parent.clone()), argument(child.clone()), &x);
            assert_eq!(came.as_deref(), Some("widened"), "{child} below {parent}");
        }
        let came = chained.derived(argument(parent.clone()), tools(&json!({"tools#show": {}})), &x);
        assert_eq!(came.as_deref(), Some("widened"), "no constraint at all below {parent}");
    }
    let two = tools(&json!({"tools#show": {}, "tools#echo": {}}));
    assert_eq!(chained.derived(tools(&json!({"tools#show": {}})), two, &json!(1)).as_deref(), Some("widened"));
    chained.client.end();
    assert_eq!(chained.world.runs().len(), 9, "one for each kind");
}

#[test]
fn a_chain_that_is_spliced_shortened_reordered_too_deep_or_too_long_lived_is_refused() {
    let mut chained = Chained::new();
    let other = SecretKey::generate().unwrap();
    let granted = tools(&json!({"tools#show": {}, "tools#echo": {}}));
    let root = chained.root(granted.clone()).sign(&chained.forge.root).unwrap();
    let hop = chained.below(&root, &other).sign(&chained.middle).unwrap();
    let leaf = chained.below(&hop, &chained.forge.agent).sign(&other).unwrap();
    let x = json!(1);
    let mut refused = |what: &str, chain: &[&String], wanted: &str| {
        let came = chained.says(chain.iter().map(|token| (*token).clone()).collect(), &x);
        assert_eq!(came.as_deref(), if wanted.is_empty() { None } else { Some(wanted) }, "{what}");
    };
    refused("whole", &[&root, &hop, &leaf], "");
    refused("a hop dropped", &[&root, &leaf], "chain-signature");
    refused("the root dropped", &[&hop, &leaf], "unknown-root");
    refused("the leaf dropped", &[&root, &hop], "holder-mismatch");
    refused("reordered", &[&hop, &root, &leaf], "unknown-root");
    refused("a hop twice", &[&root, &hop, &hop, &leaf], "chain-signature");

    // The same keys, by another root of the same owner, which grants more.
    let narrow =
        Delegation { id: "BBBBBBBBBBBBBBBBBBBBBA".to_owned(), ..chained.root(tools(&json!({"tools#echo": {}}))) };
    let narrow = narrow.sign(&chained.forge.root).unwrap();
    let mut refused = |what: &str, chain: &[&String], wanted: &str| {
        let came = chained.says(chain.iter().map(|token| (*token).clone()).collect(), &x);
        assert_eq!(came.as_deref(), Some(wanted), "{what}");
    };
    refused("spliced on another root", &[&narrow, &hop, &leaf], "chain-linkage");

    let below = |change: &dyn Fn(&mut Delegation)| {
        let mut child = chained.below(&root, &chained.forge.agent);
        change(&mut child);
        child.sign(&chained.middle).unwrap()
    };
    type Case<'c> = (&'c str, &'c dyn Fn(&mut Delegation), &'c str);
    let cases: [Case<'_>; 4] = [
        ("outlives its parent", &|child| child.expires += 1, "chain-lifetime"),
        ("allows more depth than its parent", &|child| child.max_depth += 1, "chain-depth"),
        ("counts its depth wrongly", &|child| child.depth = 2, "chain-depth"),
        ("names itself the issuer", &|child| child.issuer = "self".to_owned(), "chain-linkage"),
    ];
    let children: Vec<_> = cases.iter().map(|(what, change, wanted)| (*what, below(*change), *wanted)).collect();
    for (what, child, wanted) in children {
        let came = chained.says(vec![root.clone(), child], &x);
        assert_eq!(came.as_deref(), Some(wanted), "{what}");
    }
    // Handed on where no handing on is allowed.
    let last = Delegation { max_depth: 0, ..chained.root(granted) }.sign(&chained.forge.root).unwrap();
    let child = chained.below(&last, &chained.forge.agent).sign(&chained.middle).unwrap();
    assert_eq!(chained.says(vec![last, child], &x).as_deref(), Some("chain-depth"));
    // By a key that is pinned for something else.
    let attester = chained.below(&root, &chained.forge.attester).sign(&chained.middle).unwrap();
    let leaf = chained.below(&attester, &chained.forge.agent).sign(&chained.forge.attester).unwrap();
    assert_eq!(chained.says(vec![root, attester, leaf], &x).as_deref(), Some("holder-role"));
    chained.client.end();
    assert_eq!(chained.world.runs().len(), 1);
}

#[test]
fn a_token_of_a_thousand_constraints_is_read_one_of_64_kib_is_not_and_neither_stops_the_guard() {
    let mut chained = Chained::new();
    let values = |count: usize, size: usize| -> Tools {
        let values: Vec<String> = (0..count).map(|n| format!("{n:0size$}")).collect();
        argument(json!({"constraint_type": "one_of", "values": values}))
    };
    let x = json!(format!("{:040}", 7));
    let began = std::time::Instant::now();
    assert_eq!(chained.derived(values(1_000, 40), values(1_000, 40), &x), None);
    assert!(began.elapsed().as_secs() < 10, "a thousand against a thousand");
    let token = chained.root(values(900, 60)).sign(&chained.forge.root).unwrap();
    assert!(token.len() > 65_536, "{}", token.len());
    assert_eq!(chained.says(vec![token], &x).as_deref(), Some("malformed"));
    assert_eq!(chained.derived(values(10, 40), values(10, 40), &x), None, "it goes on");
    chained.client.end();
    let refused = chained.world.entries("guard.db", &[("type", "refused")]);
    assert_eq!(refused[0]["reason"], "too-large", "{refused:?}");
}
