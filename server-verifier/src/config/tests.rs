use std::time::Duration;

use attest_core::measurement::Component;

use super::*;

const KEY_A: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const KEY_B: &str = "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw";

fn good() -> String {
    format!(
        r#"
audience = "files"
log = "guard.db"

[[attester]]
issuer = "acme"
agents = ["a1"]
jwk = {{ kty = "OKP", crv = "Ed25519", x = "{KEY_A}" }}

[[root]]
issuer = "owner"
tools = ["files#*"]
jwk = {{ kty = "OKP", crv = "Ed25519", x = "{KEY_B}" }}

[agents.a1]
config = "any"
system-prompt = {{ digests = ["{digest}"] }}
"#,
        digest = Digest::of("p").to_b64()
    )
}

fn error(text: &str) -> String {
    Config::parse(text, Path::new("/etc/guard.toml")).unwrap_err().to_string()
}

#[test]
fn a_good_configuration_is_read_and_any_is_found() {
    let config = Config::parse(&good(), Path::new("/etc/guard.toml")).unwrap();
    assert_eq!(config.log, Place::new("/etc/guard.db"));
    assert_eq!(config.trust.anything_goes(), [("a1", Component::Config)]);
    let references = config.trust.references("a1").unwrap();
    assert_eq!(references[&Component::SystemPrompt].grade, attest_core::measurement::Grade::OnDisk);
}

#[test]
fn an_unknown_field_is_refused_by_name_at_every_level() {
    assert!(error(&format!("colour = 1\n{}", good())).contains("colour"));
    assert!(error(&good().replace("issuer = \"acme\"", "issuer = \"acme\"\nweight = 1")).contains("weight"));
    assert!(error(&good().replace("digests = [", "colour = 1, digests = [")).contains("colour"));
    assert!(error(&good().replace("config =", "confg =")).contains("confg"));
}

#[test]
fn one_key_in_two_roles_is_refused() {
    assert!(error(&good().replace(KEY_B, KEY_A)).contains("twice"));
}

#[test]
fn an_empty_list_of_digests_is_not_any() {
    let none = good().replace(&format!("\"{}\"", Digest::of("p").to_b64()), "");
    assert!(error(&none).contains("write \"any\""));
}

#[test]
fn reference_values_for_an_agent_that_nobody_attests_are_refused() {
    assert!(error(&good().replace("[agents.a1]", "[agents.a2]")).contains("a2"));
}

#[test]
fn witnesses_are_read_with_their_policy() {
    let folder = tempfile::tempdir().unwrap();
    let key = PublicKey::from_x(KEY_A).unwrap();
    let vkey = attest_core::note::Vkey::new("witness.example", attest_core::note::Kind::Witness, key).unwrap();
    let policy = format!("witness one {vkey} http://127.0.0.1:1\nquorum one\n");
    std::fs::write(folder.path().join("witness.policy"), policy).unwrap();
    std::fs::write(folder.path().join("none.policy"), "quorum none\n").unwrap();
    std::fs::write(folder.path().join("bad.policy"), "quorum one\n").unwrap();
    let config =
        |section: &str| Config::parse(&format!("{}\n[witness]\n{section}", good()), &folder.path().join("guard.toml"));
    let witness = config("policy = \"witness.policy\"").unwrap().witness.unwrap();
    assert_eq!((witness.every.as_secs(), witness.within.as_secs(), witness.required), (10, 60, false));
    assert_eq!(witness.policy.witnesses().len(), 1);
    let all = "policy = \"witness.policy\"\nevery_seconds = 5\nwithin_seconds = 5\nrequired = true\nroots = \"ca.pem\"";
    let witness = config(all).unwrap().witness.unwrap();
    assert_eq!((witness.every.as_secs(), witness.within.as_secs(), witness.required), (5, 5, true));
    assert_eq!(witness.roots, Some(folder.path().join("ca.pem")));
    let refused = |section: &str| config(section).err().unwrap().to_string();
    assert!(refused("policy = \"gone.policy\"").contains("gone.policy"));
    assert!(refused("policy = \"none.policy\"").contains("quorum none"));
    assert!(refused("policy = \"bad.policy\"").contains("line 1"));
    for times in ["every_seconds = 0", "every_seconds = 61", "within_seconds = 9", "within_seconds = 86401"] {
        assert!(refused(&format!("policy = \"witness.policy\"\n{times}")).contains("within_seconds"), "{times}");
    }
    assert!(refused("policy = \"witness.policy\"\nrequires = true").contains("requires"));
}

#[test]
fn a_publishers_word_is_about_files_and_the_grade_endorsed_needs_one() {
    let endorsed = "endorsed = { bundle = \"m.sig\", key = \"p.pub\", manifest = \"m.json\" }";
    let with = |line: &str| good().replace("config = \"any\"", line);
    assert!(error(&with(&format!("config = {{ {endorsed} }}"))).contains("model-weights and harness"));
    assert!(error(&with("harness = { digests = [], grade = \"endorsed\" }")).contains("no digest at all"));
    let digest = Digest::of("x").to_b64();
    let alone = with(&format!("harness = {{ digests = [\"{digest}\"], grade = \"endorsed\" }}"));
    assert!(error(&alone).contains("needs a bundle"));
    assert!(error(&with(&format!("harness = {{ {}, grade = \"signed\" }}", endorsed))).contains("in-use, endorsed"));
    assert!(error(&with("harness = { endorsed = { bundle = \"m.sig\", key = \"p.pub\" } }")).contains("manifest"));
    assert!(error(&with("harness = { endorsed = [] }")).contains("no digest at all"));
    assert!(error(&with("harness = { endorsed = \"m.sig\" }")).contains("bundle = "));
    // The paths are relative to the file's folder.
    let gone = error(&with(&format!("harness = {{ {endorsed} }}")));
    assert!(gone.contains("agents.a1.harness") && gone.contains("/etc/p.pub"), "{gone}");
    let several = error(&with(&format!("harness = {{ {} }}", endorsed.replace("= {", "= [{") + "]")));
    assert!(several.contains("/etc/p.pub"), "{several}");
}

/// A folder with a template and the manifest of a model of two tensors.
fn folder_of_rules() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("prompt.template"), "Today is {{date}}.").unwrap();
    let (zero, empty) = (Digest::of("0").to_b64(), Digest::of("").to_b64());
    let tensor = |name: &str| format!(r#"{{"digest":"{zero}","dtype":"F16","name":"{name}","shape":[2]}}"#);
    let list = format!(
        r#"[{{"file":"m.gguf","header":"{empty}","tensors":[{},{}]}}]"#,
        tensor("a.lora_A"),
        tensor("a.weight")
    );
    let row = format!(r#"{{"component":"model-tensors","digest":"{}","grade":"on-disk"}}"#, Digest::of(&list).to_b64());
    let manifest = format!(r#"{{"agent":"a1","components":[{row}],"format":"attest-manifest/1","tensors":{list}}}"#);
    std::fs::write(folder.path().join("base.manifest.json"), manifest).unwrap();
    folder
}

#[test]
fn rules_are_read_from_the_files_beside_the_configuration_and_count_in_the_policy() {
    let folder = folder_of_rules();
    let digest = format!("digests = [\"{}\"]", Digest::of("p").to_b64());
    let text = good().replace(&digest, "template = \"prompt.template\"").replace(
        "config = \"any\"",
        "model-tensors = { manifest = \"base.manifest.json\", may_differ = [\"*lora*\"], grade = \"in-use\" }",
    );
    let read = || Config::parse(&text, &folder.path().join("guard.toml")).unwrap();
    let config = read();
    let references = config.trust.references("a1").unwrap();
    let prompt = references[&Component::SystemPrompt].rule.as_ref().unwrap();
    assert!(prompt.fits("Today is 2026-11-27.") && !prompt.fits("Today is Friday."));
    assert!(references[&Component::ModelTensors].rule.as_ref().unwrap().is_for(Component::ModelTensors));
    std::fs::write(folder.path().join("prompt.template"), "Today was {{date}}.").unwrap();
    assert_ne!(read().policy, config.policy, "what the rule accepts is part of what was trusted");
}

#[test]
fn a_rule_that_is_none_is_refused_with_its_place() {
    let folder = folder_of_rules();
    std::fs::write(folder.path().join("free.template"), "Do {{anything}}.").unwrap();
    let refused = |entry: &str| {
        let text = good().replace("config = \"any\"", entry);
        Config::parse(&text, &folder.path().join("guard.toml")).unwrap_err().to_string()
    };
    let manifest = "manifest = \"base.manifest.json\"";
    for (entry, said) in [
        (
            "config = { template = \"prompt.template\" }".to_owned(),
            "agents.a1.config: template: there are templates of system-prompt alone",
        ),
        (format!("model-tensors = {{ {manifest} }}"), "needs may_differ"),
        ("model-tensors = { may_differ = [\"*\"] }".to_owned(), "needs a manifest"),
        (format!("model-tensors = {{ {manifest}, may_differ = [\"*qlora*\"] }}"), "\"*qlora*\" is the name of nothing"),
        (format!("model-weights = {{ {manifest}, may_differ = [\"*\"] }}"), "has no list of model-weights"),
        (format!("config = {{ {manifest}, may_differ = [\"*\"] }}"), "has no list of config"),
        ("model-tensors = { manifest = \"gone.json\", may_differ = [\"*\"] }".to_owned(), "gone.json"),
        ("model-tensors = { manifest = \"prompt.template\", may_differ = [\"*\"] }".to_owned(), "not strict JSON"),
        (format!("model-tensors = {{ template = \"x\", {manifest}, may_differ = [\"*\"] }}"), "one rule"),
    ] {
        let error = refused(&entry);
        assert!(error.contains(said), "{entry}: {error}");
    }
    let text = good().replace(&format!("digests = [\"{}\"]", Digest::of("p").to_b64()), "template = \"free.template\"");
    let error = Config::parse(&text, &folder.path().join("guard.toml")).unwrap_err().to_string();
    assert!(error.contains("free.template: the {{ at byte 3 begins no slot"), "{error}");
}

/// P-256 keys that nobody holds.
const AK: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt
6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==
-----END PUBLIC KEY-----
";

#[test]
fn hardware_is_required_by_name_and_shown_by_pinned_platforms_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ak.pem"), AK).unwrap();
    let (one, two) = (Digest::of("one").to_b64(), Digest::of("two").to_b64());
    let platform = |pcrs: &str| format!("[[platform]]\nkey = \"ak.pem\"\nagents = [\"a1\"]\npcrs = {pcrs}\n");
    let required = |text: &str| text.replace("[agents.a1]\n", "[agents.a1]\nhardware = true\n");
    let read = |text: &str| Config::parse(text, &folder.path().join("guard.toml"));
    let with = |pcrs: &str| read(&(required(&good()) + &platform(pcrs)));
    let refused = |text: &str| read(text).err().unwrap().to_string();

    let config = with(&format!("[\"{one}\", \"{two}\"]")).unwrap();
    assert!(config.trust.requires_hardware("a1") && config.trust.any_start().is_empty());
    assert!(with(&format!("\"{one}\"")).is_ok());
    assert_eq!(with("\"any\"").unwrap().trust.any_start().into_iter().collect::<Vec<_>>(), ["a1"]);
    for pcrs in ["[]", "\"all\"", "[\"any\"]"] {
        let said = with(pcrs).err().unwrap().to_string();
        assert!(said.contains("attest platform show"), "{pcrs}: {said}");
    }
    assert!(!read(&good()).unwrap().trust.requires_hardware("a1"));
    assert!(refused(&required(&good())).contains("no platform lists it"));
    assert!(refused(&(good() + &platform("\"any\""))).contains("hardware = true"));
    assert!(refused(&(required(&good()) + &platform("\"any\"") + &platform("\"any\""))).contains("twice"));
    assert!(refused(&(required(&good()) + &platform("\"any\"").replace("ak.pem", "gone.pem"))).contains("gone.pem"));
    assert!(refused(&good().replace("[agents.a1]\n", "[agents.a1]\nhardwear = true\n")).contains("hardwear"));
    assert!(refused(&good().replace("[agents.a1]\n", "[agents.a1]\nhardware = 1\n")).contains("boolean"));
}

#[test]
fn the_policy_of_the_entries_is_over_the_platforms_keys_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guard.toml");
    let text = good().replace("[agents.a1]\n", "[agents.a1]\nhardware = true\n")
        + "[[platform]]\nkey = \"ak.pem\"\nagents = [\"a1\"]\npcrs = \"any\"\n";
    std::fs::write(folder.path().join("ak.pem"), AK).unwrap();
    let key = attest_keys::read_platform_key(&folder.path().join("ak.pem")).unwrap().thumbprint();
    let config = Config::parse(&text, &path).unwrap();
    assert_eq!(config.policy, Digest::of([text.as_bytes(), &key.0].concat()));
}

#[test]
fn a_publishers_key_is_nobodys_platform() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["ak.pem", "publisher.pub"] {
        std::fs::write(folder.path().join(name), AK).unwrap();
    }
    let table = "key = \"ak.pem\"\nagents = [\"a1\"]\npcrs = \"any\"\n";
    let table = || toml::from_str::<PlatformTable>(table).unwrap();
    let pinned = |publishers: &[PathBuf]| platform::pinned(vec![table()], folder.path(), publishers);
    assert!(pinned(&[folder.path().join("gone.pub")]).is_ok());
    let same = pinned(&[folder.path().join("publisher.pub")]).unwrap_err().to_string();
    assert!(same.contains("publisher.pub") && same.contains("one role"), "{same}");
}

fn with_list(more: &str) -> String {
    // Another point of the curve than those of `good`.
    let key = "iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w";
    let jwk = format!("jwk = {{ kty = \"OKP\", crv = \"Ed25519\", x = \"{key}\" }}");
    format!("{}\n[[status.list]]\nuri = \"https://status.example/a\"\n{jwk}\n{more}\n", good())
}

#[test]
fn status_lists_are_read_with_their_keys_sources_and_what_passes_without() {
    use attest_core::status::Level;
    let read = |text: &str| Config::parse(text, Path::new("/etc/guard.toml"));
    let config = read(&with_list("file = \"a.jwt\"")).unwrap();
    assert!(config.trust.status_issuer("https://status.example/a").is_some());
    assert!(config.trust.status_issuer("https://status.example/b").is_none());
    assert!(config.files.contains(&"/etc/a.jwt".into()) && config.files.contains(&"/etc/guard.toml".into()));
    assert!(matches!(&config.statuses.0[0].from, From::File(path) if path == Path::new("/etc/a.jwt")));
    assert!(
        Level::ALL.iter().all(|level| !config.trust.staleness().accepts(*level)),
        "nothing passes where nothing is said"
    );
    let staleness = "[status]\nstale = { low = \"accept\", high = \"refuse\" }\nmax_age_seconds = 60\n";
    let config = read(
        &with_list("url = \"http://127.0.0.1:1/a\"").replace("[[status.list]]", &format!("{staleness}[[status.list]]")),
    );
    let config = config.unwrap();
    assert!(matches!(&config.statuses.0[0].from, From::Web(_)));
    let accepted: Vec<_> = Level::ALL.into_iter().filter(|level| config.trust.staleness().accepts(*level)).collect();
    assert_eq!(accepted, [Level::Low]);
}

#[test]
fn a_status_section_with_anything_wrong_is_refused_by_name() {
    let section = |settings: &str| error(&format!("{}\n[status]\n{settings}\n", good()));
    assert!(section("stale = { lowest = \"accept\" }").contains("lowest"));
    assert!(section("stale = { low = \"warn\" }").contains("warn"));
    assert!(section("max_age_seconds = 0").contains("max_age_seconds"));
    assert!(section("max_age_seconds = 86401").contains("max_age_seconds"));
    assert!(section("colour = 1").contains("colour"));
    assert!(error(&with_list("colour = 1")).contains("colour"));
    assert!(error(&with_list("").replace("https://", "urn:")).contains("or name a file"));
    let twice = with_list("file = \"a.jwt\"");
    let (_, entry) = twice.split_once("[[status.list]]").unwrap();
    assert!(error(&format!("{twice}\n[[status.list]]{entry}")).contains("twice"));
    assert!(error(&twice.replace("iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w", KEY_A)).contains("twice"));
}

#[test]
fn what_cannot_change_is_told_by_name() {
    let read = |text: &str| Config::parse(text, Path::new("/etc/guard.toml")).unwrap().fixed;
    let before = read(&good());
    assert!(before.changed(&read(&good())).is_empty());
    assert!(before.changed(&read(&format!("skew_seconds = 5\n{}", good()))).is_empty());
    let other = good().replace("guard.db", "other.db").replace("audience = \"files\"", "audience = \"mail\"");
    let other = other.replace("files#*", "mail#*") + "\n[http]\nlisten = \"127.0.0.1:1\"\n";
    assert_eq!(before.changed(&read(&other)), ["audience", "http", "log"]);
}

/// An approver `name` of these groups, with the keys of these seeds.
fn approver(name: &str, groups: &str, seeds: &[u8]) -> String {
    use attest_core::sign::{MemoryKey, Sign as _};
    let x = |seed: &u8| MemoryKey::from_seed(&[*seed; 32]).public().x();
    let keys: Vec<_> =
        seeds.iter().map(|seed| format!("{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{}\" }}", x(seed))).collect();
    format!("\n[[approver]]\nname = \"{name}\"\ngroups = {groups}\njwks = [{}]\n", keys.join(", "))
}

#[test]
fn a_person_has_a_name_and_keys_that_nobody_else_has() {
    let with = |text: &str| format!("{}{text}", good());
    let config = with(&[approver("Ada", "[\"finance\"]", &[1, 2]), approver("Bob", "[\"finance\"]", &[3])].concat());
    Config::parse(&config, Path::new("/etc/guard.toml")).unwrap();
    let shared = [approver("Ada", "[\"finance\"]", &[1]), approver("Bob", "[\"finance\"]", &[1])].concat();
    assert!(error(&with(&shared)).contains("a key has one role"), "two persons, one key");
    assert!(error(&with(&approver("Ada", "[]", &[1, 1]))).contains("a key has one role"), "one key twice");
    let attester = format!("jwks = [{{ kty = \"OKP\", crv = \"Ed25519\", x = \"{KEY_A}\" }}]");
    let taken = format!("\n[[approver]]\nname = \"Ada\"\ngroups = []\n{attester}\n");
    assert!(error(&with(&taken)).contains("a key has one role"), "an attester's key");
    let twice = [approver("Ada", "[]", &[1]), approver("Ada", "[]", &[2])].concat();
    assert!(error(&with(&twice)).contains("one entry, with all keys in it"));
    assert!(error(&with(&approver("Ada", "[]", &[]))).contains("at least one key"));
    assert!(error(&with(&approver("", "[]", &[1]))).contains("needs a name"));
    assert!(error(&with(&approver("Ada", "[\"\"]", &[1]))).contains("groups with names"));
    assert!(error(&with(&approver("Ada", "[]", &[1]).replace("groups", "group"))).contains("group"));
}

#[test]
fn a_hold_is_as_long_as_it_is_written_and_within_its_bounds() {
    let with = |hold: &str| format!("{}\n[policy]\ndefault = true\n{hold}\n", good());
    let hold = |text: &str| Config::parse(&with(text), Path::new("/etc/guard.toml")).unwrap().judging.unwrap().hold;
    assert_eq!(hold(""), None, "off unless somebody asks for it");
    assert_eq!(hold("hold = \"2m 30s\""), Some(Duration::from_secs(150)));
    assert_eq!(hold("hold = \"240s\""), Some(Duration::from_secs(240)));
    for (wrong, why) in [
        ("\"241s\"", "longer than"),
        ("\"0s\"", "shorter than"),
        ("\"soon\"", "120s"),
        ("\"\"", "120s"),
        ("120", "hold"),
    ] {
        let said = error(&with(&format!("hold = {wrong}")));
        assert!(said.contains(why) && said.contains("hold"), "{said}");
    }
}
