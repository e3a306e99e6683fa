//! The strict reading of an event.

use super::{
    Answer, Asked, Call, Called, Can, Destinations, Event, From, MAX_DESTINATIONS, MAX_OUTSIDE, MAX_POINTER, MAX_TEXT,
    Mark, Marks, Read, Server, Tool, What, is_destination, is_word,
};
use crate::claims::{Claims, ClaimsError};
use crate::digest::Digest;
use crate::entry::Status;
use crate::json::Value;
use crate::measurement::Component;

type Of<T> = Result<T, ClaimsError>;

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// [`ClaimsError`]: a member that is missing, is not what it should be, or that events of this kind do not have.
    pub fn read(value: &Value<'_>) -> Of<Self> {
        let mut members = Claims::of(value)?;
        let event = Self {
            session: members.jti("session")?,
            server: members.name("server")?,
            what: match members.text("what")? {
                "server" => What::Server(server(&mut members)?),
                "tool" => What::Tool(tool(&mut members)?),
                "tool-gone" => What::ToolGone { tool: members.name("tool")? },
                "call" => What::Call(Box::new(call(&mut members)?)),
                "read" => What::Read(Box::new(read(&mut members)?)),
                "answer" => What::Answer(Box::new(answer(&mut members)?)),
                "asked" => What::Asked(asked(&mut members)?),
                "refused" => What::Refused {
                    call: digest(&mut members, "call")?,
                    called: called(&mut members)?,
                    reason: word(&mut members, "reason")?,
                },
                "state" => What::State(components(&mut members)?),
                "opaque" => What::Opaque { from: from(&mut members)?, size: members.number("size")? },
                _ => return Err(ClaimsError::Invalid("what")),
            },
        };
        members.finish()?;
        Ok(event)
    }
}

fn server(members: &mut Claims<'_, '_>) -> Of<Server> {
    Ok(Server {
        name: text(members, "name")?,
        version: text(members, "version")?,
        era: text(members, "era")?,
        how: digest(members, "how")?,
        host: text(members, "host")?,
        key: digest(members, "key")?,
        marks: marks(members)?,
    })
}

fn tool(members: &mut Claims<'_, '_>) -> Of<Tool> {
    Ok(Tool {
        tool: members.name("tool")?,
        description: members.digest("description")?,
        schema: members.digest("schema")?,
        marks: marks(members)?,
        can: can(members)?,
    })
}

fn call(members: &mut Claims<'_, '_>) -> Of<Call> {
    Ok(Call {
        call: members.digest("call")?,
        called: called(members)?,
        arguments: members.digest("arguments")?,
        size: members.number("size")?,
        shape: members.digest("shape")?,
        outside: texts(members, "outside", MAX_OUTSIDE, |text| is_text(text, MAX_POINTER))?,
        destinations: destinations(members)?,
        marks: marks(members)?,
        notification: if_true(members, "notification")?,
    })
}

fn read(members: &mut Claims<'_, '_>) -> Of<Read> {
    Ok(Read {
        call: members.digest("call")?,
        method: members.name("method")?,
        name: members.digest("name")?,
        size: members.number("size")?,
        destinations: destinations(members)?,
    })
}

fn answer(members: &mut Claims<'_, '_>) -> Of<Answer> {
    let answer = Answer {
        call: members.digest("call")?,
        status: Status::parse(members.text("status")?).ok_or(ClaimsError::Invalid("status"))?,
        size: members.number("size")?,
        latency: members.number("latency")?,
        result: digest(members, "result")?,
        marks: marks(members)?,
        destinations: destinations(members)?,
        held: if_true(members, "held")?,
    };
    if answer.marks.is_empty() && !answer.destinations.is_empty() {
        let named = !answer.destinations.names().is_empty();
        return Err(ClaimsError::Invalid(if named { "destinations" } else { "more" }));
    }
    Ok(answer)
}

fn asked(members: &mut Claims<'_, '_>) -> Of<Asked> {
    Ok(Asked {
        method: members.name("method")?,
        call: digest(members, "call")?,
        size: members.number("size")?,
        marks: marks(members)?,
    })
}

fn called(members: &mut Claims<'_, '_>) -> Of<Called> {
    // A second of the two is left over, and refused as that.
    match members.optional("method") {
        None => members.name("tool").map(Called::Tool),
        Some(method) => match method.as_str().filter(|method| crate::claims::is_name(method)) {
            Some(method) => Ok(Called::Method(method.to_owned())),
            None => Err(ClaimsError::Invalid("method")),
        },
    }
}

fn from(members: &mut Claims<'_, '_>) -> Of<From> {
    let word = members.text("from")?;
    [From::Client, From::Server].into_iter().find(|from| from.as_str() == word).ok_or(ClaimsError::Invalid("from"))
}

fn components(members: &mut Claims<'_, '_>) -> Of<Vec<Component>> {
    let invalid = ClaimsError::Invalid("components");
    let components = members.array("components")?;
    let components: Option<Vec<Component>> =
        components.iter().map(|component| Component::parse(component.as_str()?)).collect();
    components.filter(|all| !all.is_empty() && ascending(all)).ok_or(invalid)
}

fn can(members: &mut Claims<'_, '_>) -> Of<Can> {
    let words = texts(members, "can", 3, |word| matches!(word, "danger" | "in" | "out"))?;
    if !ascending(&words) {
        return Err(ClaimsError::Invalid("can"));
    }
    let has = |word: &str| words.iter().any(|there| there == word);
    Ok(Can { danger: has("danger"), inward: has("in"), out: has("out") })
}

fn destinations(members: &mut Claims<'_, '_>) -> Of<Destinations> {
    let names = texts(members, "destinations", MAX_DESTINATIONS, is_destination)?;
    if !ascending(&names) {
        return Err(ClaimsError::Invalid("destinations"));
    }
    Ok(Destinations { names, more: if_true(members, "more")? })
}

fn marks(members: &mut Claims<'_, '_>) -> Of<Marks> {
    let invalid = ClaimsError::Invalid("marks");
    let mut marks = Marks::default();
    let Some(value) = members.optional("marks") else { return Ok(marks) };
    let object = value.as_object().filter(|object| !object.is_empty()).ok_or(invalid)?;
    for (word, count) in object.iter() {
        let count = count.as_u53().and_then(|count| u32::try_from(count).ok()).filter(|count| *count > 0);
        let (Some(mark), Some(count)) = (Mark::parse(word), count) else { return Err(invalid) };
        marks.set(mark, count);
    }
    Ok(marks)
}

fn ascending<T: Ord>(items: &[T]) -> bool {
    items.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
}

fn is_text(text: &str, characters: usize) -> bool {
    text.chars().count() <= characters && !text.chars().any(char::is_control)
}

fn text(members: &mut Claims<'_, '_>, name: &'static str) -> Of<Option<String>> {
    let Some(value) = members.optional(name) else { return Ok(None) };
    let text = value.as_str().filter(|text| is_text(text, MAX_TEXT));
    text.map(|text| Some(text.to_owned())).ok_or(ClaimsError::Invalid(name))
}

fn digest(members: &mut Claims<'_, '_>, name: &'static str) -> Of<Option<Digest>> {
    let Some(value) = members.optional(name) else { return Ok(None) };
    let digest = value.as_str().and_then(Digest::from_b64);
    digest.map(Some).ok_or(ClaimsError::Invalid(name))
}

/// `true`, or absent.
fn if_true(members: &mut Claims<'_, '_>, name: &'static str) -> Of<bool> {
    match members.optional(name).map(Value::as_bool) {
        None => Ok(false),
        Some(Some(true)) => Ok(true),
        Some(_) => Err(ClaimsError::Invalid(name)),
    }
}

pub(crate) fn word(members: &mut Claims<'_, '_>, name: &'static str) -> Of<String> {
    let word = members.text(name)?;
    if is_word(word) { Ok(word.to_owned()) } else { Err(ClaimsError::Invalid(name)) }
}

/// Absent, or 1 to `most` strings that are of this form.
fn texts(
    members: &mut Claims<'_, '_>,
    name: &'static str,
    most: usize,
    is_one: impl Fn(&str) -> bool,
) -> Of<Vec<String>> {
    let Some(value) = members.optional(name) else { return Ok(Vec::new()) };
    let items = value.as_array().filter(|items| (1..=most).contains(&items.len())).ok_or(ClaimsError::Invalid(name))?;
    let one = |item: &Value<'_>| item.as_str().filter(|text| is_one(text)).map(str::to_owned);
    items.iter().map(one).collect::<Option<_>>().ok_or(ClaimsError::Invalid(name))
}
