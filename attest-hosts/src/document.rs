//! A configuration's text as JSON with comments, with the position of every value.

use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::{Range, Ranged as _};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

/// Why a text is left alone, and where.
#[derive(Debug, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
pub struct DocumentError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong with a text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Not JSON, also with comments and trailing commas allowed.
    #[error("not valid JSON: {}", .0.kind())]
    Json(jsonc_parser::errors::ParseError),
    /// A member that is there twice: hosts differ in which one counts.
    #[error("the member {0:?} is there twice, and hosts differ in which one counts; remove one")]
    Twice(String),
    /// Something else than an object.
    #[error("{0:?} should be an object")]
    NotAnObject(String),
}

/// A parsed text.
pub(crate) struct Document<'t> {
    text: &'t str,
    root: Option<Object<'t>>,
}

/// The servers of one place in a document.
pub(crate) struct Group<'d, 't> {
    /// The project that they belong to, in Claude Code's own file.
    pub project: Option<String>,
    pub servers: &'d Object<'t>,
    /// Names that the host does not connect to.
    pub disabled: Vec<String>,
}

impl<'t> Document<'t> {
    /// Comments and trailing commas are allowed for every host: more than some accept, and none reads such a text in
    /// another way.
    pub fn parse(text: &'t str) -> Result<Self, DocumentError> {
        let options = ParseOptions {
            allow_comments: true,
            allow_trailing_commas: true,
            allow_loose_object_property_names: false,
            allow_missing_commas: false,
            allow_single_quoted_strings: false,
            allow_hexadecimal_numbers: false,
            allow_unary_plus_numbers: false,
            allow_bare_decimal_point_numbers: false,
            allow_non_finite_numbers: false,
            allow_extended_string_escapes: false,
        };
        let parsed = parse_to_ast(text, &CollectOptions::default(), &options).map_err(|error| DocumentError {
            line: error.line_display(),
            column: error.column_display(),
            fault: Fault::Json(error),
        })?;
        match parsed.value {
            // Hosts make an empty file of an empty list.
            None => Ok(Self { text, root: None }),
            Some(Value::Object(root)) => Ok(Self { text, root: Some(root) }),
            Some(other) => Err(fault(text, other.range().start, Fault::NotAnObject("the whole file".to_owned()))),
        }
    }

    /// The text between two positions of the parser's.
    pub fn slice(&self, range: Range) -> &'t str {
        self.text.get(range.start..range.end).unwrap_or_default()
    }

    pub fn text(&self) -> &'t str {
        self.text
    }

    /// The line of a position, from 1.
    pub fn line(&self, at: usize) -> usize {
        position(self.text, at).0
    }

    /// The one member of this name; an error where it is there twice.
    pub fn member<'d>(&self, object: &'d Object<'t>, name: &str) -> Result<Option<&'d ObjectProp<'t>>, DocumentError> {
        let mut found = object.properties.iter().filter(|member| member.name.as_str() == name);
        let first = found.next();
        match found.next() {
            Some(second) => Err(fault(self.text, second.range.start, Fault::Twice(name.to_owned()))),
            None => Ok(first),
        }
    }

    /// All members, each name once.
    pub fn members<'d>(&self, object: &'d Object<'t>) -> Result<&'d [ObjectProp<'t>], DocumentError> {
        let mut seen = std::collections::BTreeSet::new();
        for member in &object.properties {
            if !seen.insert(member.name.as_str()) {
                let twice = Fault::Twice(member.name.as_str().to_owned());
                return Err(fault(self.text, member.range.start, twice));
            }
        }
        Ok(&object.properties)
    }

    fn object<'d>(&self, object: &'d Object<'t>, name: &str) -> Result<Option<&'d Object<'t>>, DocumentError> {
        match self.member(object, name)?.map(|member| &member.value) {
            None | Some(Value::NullKeyword(_)) => Ok(None),
            Some(Value::Object(value)) => Ok(Some(value)),
            Some(other) => Err(fault(self.text, other.range().start, Fault::NotAnObject(name.to_owned()))),
        }
    }

    /// Where servers are: at the top, and in each project of `projects`.
    pub fn groups(&self, key: &str) -> Result<Vec<Group<'_, 't>>, DocumentError> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let mut groups = Vec::new();
        if let Some(servers) = self.object(root, key)? {
            groups.push(Group { project: None, servers, disabled: Vec::new() });
        }
        if let Some(projects) = self.object(root, "projects")? {
            for member in self.members(projects)? {
                let Value::Object(project) = &member.value else { continue };
                let Some(servers) = self.object(project, key)? else { continue };
                let disabled = self.names(project, "disabledMcpServers")?;
                groups.push(Group { project: Some(member.name.as_str().to_owned()), servers, disabled });
            }
        }
        Ok(groups)
    }

    /// The names of the members of `projects`.
    pub fn projects(&self) -> Result<Vec<String>, DocumentError> {
        let Some(root) = &self.root else { return Ok(Vec::new()) };
        let Some(projects) = self.object(root, "projects")? else { return Ok(Vec::new()) };
        Ok(self.members(projects)?.iter().map(|member| member.name.as_str().to_owned()).collect())
    }

    fn names(&self, object: &Object<'t>, name: &str) -> Result<Vec<String>, DocumentError> {
        let Some(Value::Array(list)) = self.member(object, name)?.map(|member| &member.value) else {
            return Ok(Vec::new());
        };
        Ok(list.elements.iter().filter_map(string).map(str::to_owned).collect())
    }

    /// The members of a text that is one object.
    pub fn root(&self) -> Option<&Object<'t>> {
        self.root.as_ref()
    }
}

/// The text of a value that is a string.
pub(crate) fn string<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    match value {
        Value::StringLit(literal) => Some(&literal.value),
        _ => None,
    }
}

fn fault(text: &str, at: usize, fault: Fault) -> DocumentError {
    let (line, column) = position(text, at);
    DocumentError { line, column, fault }
}

fn position(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or_default();
    (1 + before.bytes().filter(|byte| *byte == b'\n').count(), 1 + line.chars().count())
}
