//! The JSON form of a trust configuration, read.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use attest_core::checkpoint::LogKeys;
use attest_core::comparison::{Listing, Rule, Template};
use attest_core::digest::Digest;
use attest_core::json::{self, Object, Value as Strict};
use attest_core::jwk::PublicKey;
use attest_core::labels::Labels;
use attest_core::limits::MAX_STATUS_AGE;
use attest_core::measurement::{Component, Grade};
use attest_core::platform::PlatformKey;
use attest_core::status::{Level, Staleness, StatusIssuer};
use attest_core::trust::{
    AcceptedDigest, Attester, Declassifier, FlowTrust, PinnedPlatform, Reference, References, Root, Scope, ToolFlow,
    Trust,
};

/// Reads the JSON form; `None` where something in it is refused.
pub fn read(text: &[u8]) -> Option<Trust> {
    let value = json::parse(text).ok()?;
    let object = value.as_object()?;
    let (needed, optional) = (
        ["agents", "attesters", "audience", "roots", "skew"],
        ["declassifiers", "flow", "lineage", "logs", "platforms", "stale", "status_age", "statuses"],
    );
    let known = object.iter().all(|(name, _)| needed.contains(&name) || optional.contains(&name));
    (known && needed.iter().all(|name| object.get(name).is_some())).then_some(())?;
    let list = |name| object.get(name).and_then(Strict::as_array);
    let attesters = list("attesters")?.iter().map(attester).collect::<Option<_>>()?;
    let roots = list("roots")?.iter().map(root).collect::<Option<_>>()?;
    let entries = object.get("agents")?.as_object()?;
    let agents = entries.iter().map(|(agent, components)| Some((agent.to_owned(), references(components)?)));
    let agents = agents.collect::<Option<HashMap<_, _>>>()?;
    let hardware = |(agent, entry): (&str, &Strict<'_>)| entry.as_object()?.get(HARDWARE).map(|_| agent.to_owned());
    let hardware: BTreeSet<String> = entries.iter().filter_map(hardware).collect();
    let platforms = match object.get("platforms") {
        Some(platforms) => platforms.as_array()?.iter().map(platform).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    let audience = object.get("audience")?.as_str()?.to_owned();
    let trust = Trust::new(audience, attesters, roots, agents).ok()?.with_platforms(platforms, hardware).ok()?;
    let trust = trust.with_flow(flow(object)?).ok()?;
    let statuses = match object.get("statuses") {
        Some(statuses) => statuses.as_array()?.iter().map(status).collect::<Option<_>>()?,
        None => Vec::new(),
    };
    let trust = trust.with_statuses(statuses, staleness(object)?).ok()?;
    trust.with_skew(object.get("skew")?.as_u53()?).ok()
}

/// Each is a list or object that may be absent.
fn flow(object: &Object<'_>) -> Option<FlowTrust> {
    let none = Strict::Array(Vec::new());
    let list = |name| object.get(name).unwrap_or(&none).as_array();
    let log = |lines: &Strict<'_>| LogKeys::parse(&texts(lines)?).ok();
    let declassifier = |value: &Strict<'_>| {
        let object = exactly(value, &["key", "labels"])?;
        let key = PublicKey::from_jwk(object.get("key")?).ok()?;
        Some(Declassifier { key, labels: Labels::read(object.get("labels")?)? })
    };
    let tool = |(tool, value): (&str, &Strict<'_>)| {
        let object = value.as_object()?;
        object.iter().all(|(name, _)| ["accepts", "lineage"].contains(&name)).then_some(())?;
        let accepts = object.get("accepts").map_or(Some(Labels::Every), Labels::read)?;
        let lineage = object.get("lineage").map_or(Some(false), Strict::as_bool)?;
        Some((tool.to_owned(), ToolFlow { accepts, lineage }))
    };
    Some(FlowTrust {
        logs: list("logs")?.iter().map(log).collect::<Option<_>>()?,
        declassifiers: list("declassifiers")?.iter().map(declassifier).collect::<Option<_>>()?,
        lineage: texts(object.get("lineage").unwrap_or(&none))?.into_iter().collect(),
        tools: match object.get("flow") {
            Some(tools) => tools.as_object()?.iter().map(tool).collect::<Option<_>>()?,
            None => BTreeMap::new(),
        },
    })
}

/// The member of an agent's references that is no component.
const HARDWARE: &str = "hardware";

/// An object of these members and no others.
fn exactly<'o, 'v>(value: &'o Strict<'v>, names: &[&str]) -> Option<&'o Object<'v>> {
    let all = |object: &&Object<'_>| object.len() == names.len() && names.iter().all(|name| object.get(name).is_some());
    value.as_object().filter(all)
}

fn texts(value: &Strict<'_>) -> Option<Vec<String>> {
    value.as_array()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
}

fn key_and_issuer(object: &Object<'_>) -> Option<(PublicKey, String)> {
    let key = PublicKey::from_jwk(object.get("key")?).ok()?;
    Some((key, object.get("issuer")?.as_str()?.to_owned()))
}

fn attester(value: &Strict<'_>) -> Option<Attester> {
    let object = exactly(value, &["agents", "issuer", "key"])?;
    let (key, issuer) = key_and_issuer(object)?;
    Some(Attester { key, issuer, agents: texts(object.get("agents")?)? })
}

fn root(value: &Strict<'_>) -> Option<Root> {
    let object = exactly(value, &["issuer", "key", "tools"])
        .or_else(|| exactly(value, &["issuer", "key", "labels", "tools"]))?;
    let labels = object.get("labels").map_or(Some(Labels::None), Labels::read)?;
    let (key, issuer) = key_and_issuer(object)?;
    let tools = texts(object.get("tools")?)?.iter().map(|text| Scope::parse(text)).collect::<Option<_>>()?;
    Some(Root { key, issuer, tools, labels })
}

fn platform(value: &Strict<'_>) -> Option<PinnedPlatform> {
    let object = exactly(value, &["agents", "key", "pcrs"])?;
    let key = PlatformKey::from_jwk(object.get("key")?)?;
    let pcrs = object.get("pcrs")?;
    let pcrs = match pcrs.as_str() {
        Some("any") => None,
        Some(_) => return None,
        None => Some(texts(pcrs)?.iter().map(|d| Digest::from_b64(d)).collect::<Option<Vec<_>>>()?),
    };
    if pcrs.as_ref().is_some_and(Vec::is_empty) {
        return None;
    }
    Some(PinnedPlatform { key, agents: texts(object.get("agents")?)?, pcrs })
}

fn status(value: &Strict<'_>) -> Option<StatusIssuer> {
    let object = exactly(value, &["key", "uri"])?;
    Some(StatusIssuer { key: PublicKey::from_jwk(object.get("key")?).ok()?, uri: object.get("uri")?.as_str()?.into() })
}

fn staleness(object: &Object<'_>) -> Option<Staleness> {
    let age = object.get("status_age").map_or(Some(MAX_STATUS_AGE), Strict::as_u53)?;
    let mut accepted = Vec::new();
    for (level, what) in
        object.get("stale").map(|stale| stale.as_object()).unwrap_or_default().into_iter().flat_map(Object::iter)
    {
        let level = Level::parse(level)?;
        match what.as_str()? {
            "accept" => accepted.push(level),
            "refuse" => {}
            _ => return None,
        }
    }
    object.get("stale").is_none_or(|stale| stale.as_object().is_some()).then_some(())?;
    Staleness::new(age, accepted)
}

fn references(components: &Strict<'_>) -> Option<References> {
    let components = components.as_object()?;
    if components.get(HARDWARE).is_some_and(|required| required.as_bool() != Some(true)) {
        return None;
    }
    let components = components.iter().filter(|(name, _)| *name != HARDWARE).map(|(name, reference)| {
        let object = reference.as_object()?;
        let known = ["digests", "endorsed", "grade", "listing", "template"];
        object.iter().all(|(name, _)| known.contains(&name)).then_some(())?;
        let list = |value: &Strict<'_>| texts(value)?.iter().map(|d| Digest::from_b64(d)).collect::<Option<Vec<_>>>();
        let endorsed = object.get("endorsed").map(|endorsed| list(endorsed).filter(|list| !list.is_empty()));
        let endorsed = match endorsed {
            Some(endorsed) => endorsed?,
            None => Vec::new(),
        };
        let component = Component::parse(name)?;
        let rule = match (object.get("template"), object.get("listing")) {
            (None, None) => None,
            (Some(text), None) => Some(Rule::Template(Template::parse(text.as_str()?).ok()?)),
            (None, Some(listing)) => {
                let parts = exactly(listing, &["like", "may_differ"])?;
                let like = String::from_utf8(parts.get("like")?.to_canonical()).ok()?;
                Some(Rule::Listing(Listing::new(component, &like, &texts(parts.get("may_differ")?)?).ok()?))
            }
            (Some(_), Some(_)) => return None,
        };
        if rule.as_ref().is_some_and(|rule| !rule.is_for(component)) {
            return None;
        }
        let of_files = matches!(component, Component::ModelWeights | Component::Harness);
        if !endorsed.is_empty() && !of_files {
            return None;
        }
        let accepted = object.get("digests")?;
        let digests = match accepted.as_str() {
            Some("any") if endorsed.is_empty() && rule.is_none() => None,
            Some(_) => return None,
            None => Some(list(accepted)?),
        };
        if digests.as_ref().is_some_and(|digests| digests.is_empty() && endorsed.is_empty() && rule.is_none()) {
            return None;
        }
        let grade = object.get("grade")?.as_str()?;
        let only_endorsed = grade == "endorsed";
        if only_endorsed && endorsed.is_empty() {
            return None;
        }
        let grade = if only_endorsed { Grade::OnDisk } else { Grade::parse(grade)? };
        let digests = digests.map(|digests| {
            let endorsed = endorsed.into_iter().map(|digest| AcceptedDigest { digest, endorsed: true });
            digests.into_iter().map(AcceptedDigest::from).chain(endorsed).collect()
        });
        Some((component, Reference { digests, grade, endorsed: only_endorsed, rule }))
    });
    components.collect::<Option<BTreeMap<_, _>>>()
}
