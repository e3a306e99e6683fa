//! Reading them again, as strictly as they were written.

use std::collections::{BTreeMap, BTreeSet};

use attest_core::alert::Severity;
use attest_core::claims::{Claims, ClaimsError};
use attest_core::json::{self, Value};
use attest_core::measurement::{Component, Grade, Measurement};

use super::{Arguments, Asked, Delegation, Facts, FactsError, Open};
use crate::decision::Met;
use crate::risk::Risk;

type Read<T> = Result<T, ClaimsError>;

impl Facts<'static> {
    /// Reads what [`Facts::to_json`] wrote. The arguments are [`Arguments::NotKept`].
    ///
    /// # Errors
    /// [`FactsError`]: not exactly what would be written.
    pub fn read(text: &[u8]) -> Result<Self, FactsError> {
        let value = json::parse(text)?;
        if value.to_canonical() != text {
            return Err(FactsError::NotCanonical);
        }
        let mut members = Claims::of(&value)?;
        let facts = Self {
            agent: members.text("agent")?.to_owned(),
            alerts: set("alerts", members.array("alerts")?, alert)?,
            asked: members.object("asked", asked)?,
            classes: set("classes", members.array("classes")?, text_of("classes"))?,
            components: list(members.array("components")?, component)?,
            delegation: members.object("delegation", delegation)?,
            groups: set("groups", members.array("groups")?, text_of("groups"))?,
            labels: set("labels", members.array("labels")?, text_of("labels"))?,
            met: members.object("met", met)?,
            risk: word("risk", members.text("risk")?, Risk::parse)?,
            server: members.text("server")?.to_owned(),
            time: members.number("time")?,
            arguments: Arguments::NotKept,
        };
        members.finish()?;
        facts.check()?;
        Ok(facts)
    }
}

fn word<T>(member: &'static str, text: &str, parse: impl Fn(&str) -> Option<T>) -> Read<T> {
    parse(text).ok_or(ClaimsError::Invalid(member))
}

fn text_of(member: &'static str) -> impl Fn(&Value<'_>) -> Read<String> {
    move |value| value.as_str().map(str::to_owned).ok_or(ClaimsError::Invalid(member))
}

fn list<T>(items: &[Value<'_>], read: impl Fn(&Value<'_>) -> Read<T>) -> Read<Vec<T>> {
    items.iter().map(read).collect()
}

/// Items in ascending order, each once: there is one way to write a set.
fn set<T: Ord>(member: &'static str, items: &[Value<'_>], read: impl Fn(&Value<'_>) -> Read<T>) -> Read<BTreeSet<T>> {
    let items = list(items, read)?;
    if !items.windows(2).all(|pair| matches!(pair, [a, b] if a < b)) {
        return Err(ClaimsError::Invalid(member));
    }
    Ok(items.into_iter().collect())
}

/// The members of an object, none of which may be left over.
fn object<T>(value: &Value<'_>, read: impl FnOnce(&mut Claims<'_, '_>) -> Read<T>) -> Read<T> {
    let mut members = Claims::of(value)?;
    let read = read(&mut members)?;
    members.finish()?;
    Ok(read)
}

fn alert(value: &Value<'_>) -> Read<Open> {
    object(value, |members| {
        let rule = members.text("rule")?.to_owned();
        Ok(Open { rule, severity: word("severity", members.text("severity")?, Severity::parse)? })
    })
}

/// One of the two; the other would be left over.
fn asked(members: &mut Claims<'_, '_>) -> Read<Asked> {
    match members.optional("tool") {
        Some(name) => Ok(Asked::Tool(text_of("tool")(name)?)),
        None => members.text("method").map(|name| Asked::Method(name.to_owned())),
    }
}

fn component(value: &Value<'_>) -> Read<Measurement> {
    object(value, |members| {
        Ok(Measurement {
            component: word("component", members.text("component")?, Component::parse)?,
            digest: members.digest("digest")?,
            grade: word("grade", members.text("grade")?, Grade::parse)?,
        })
    })
}

fn delegation(members: &mut Claims<'_, '_>) -> Read<Delegation> {
    Ok(Delegation {
        depth: members.number("depth")?,
        holder: members.text("holder")?.to_owned(),
        left: members.number("left")?,
        root: members.text("root")?.to_owned(),
    })
}

fn met(members: &mut Claims<'_, '_>) -> Read<Met> {
    let flag = |value: &Value<'_>, name| value.as_bool().ok_or(ClaimsError::Invalid(name));
    let approvals = list(members.array("approvals")?, |value| {
        object(value, |members| {
            let persons = u32::try_from(members.number("persons")?).map_err(|_| ClaimsError::Invalid("persons"))?;
            Ok((members.text("group")?.to_owned(), persons))
        })
    })?;
    if !approvals.windows(2).all(|pair| matches!(pair, [a, b] if a.0 < b.0)) {
        return Err(ClaimsError::Invalid("approvals"));
    }
    Ok(Met {
        nonce: flag(members.required("nonce")?, "nonce")?,
        reattest: flag(members.required("reattest")?, "reattest")?,
        approvals: approvals.into_iter().collect::<BTreeMap<_, _>>(),
    })
}
