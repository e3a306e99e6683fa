//! The tools that an agent was given: `tool-manifest`.

use attest_core::canon::jcs;
use attest_core::digest::Digest;
use serde::Serialize;

/// A tool as its server listed it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ToolEntry {
    /// The audience of its server.
    pub server: String,
    /// Its name.
    pub name: String,
    /// Digest of the description's UTF-8 bytes, of none where there is none.
    pub description: Digest,
    /// Digest of the input schema's canonical form, of `null` where there is none.
    pub schema: Digest,
}

/// A list of tools in its canonical order, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolManifest {
    /// The tools.
    pub tools: Vec<ToolEntry>,
    /// Over all of them.
    pub digest: Digest,
}

#[derive(Serialize)]
struct Line<'a> {
    description: String,
    name: &'a str,
    schema: String,
    server: &'a str,
}

impl ToolManifest {
    /// The manifest of these tools. The same tool listed twice, by two sessions of one server, counts once; two tools that
    /// share server and name and differ otherwise both count.
    pub fn of(tools: impl IntoIterator<Item = ToolEntry>) -> Self {
        let mut tools: Vec<ToolEntry> = tools.into_iter().collect();
        // Field by field: by server, name, description, schema, each by its bytes.
        tools.sort();
        tools.dedup();
        let digest = Digest::of(canonical(&tools));
        Self { tools, digest }
    }

    /// The bytes that the digest is over.
    pub fn canonical(&self) -> Vec<u8> {
        canonical(&self.tools)
    }
}

fn canonical(tools: &[ToolEntry]) -> Vec<u8> {
    let lines: Vec<_> = tools
        .iter()
        .map(|tool| Line {
            description: tool.description.to_b64(),
            name: &tool.name,
            schema: tool.schema.to_b64(),
            server: &tool.server,
        })
        .collect();
    jcs(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(server: &str, name: &str, description: &str) -> ToolEntry {
        let schema = Digest::of(r#"{"type":"object"}"#);
        ToolEntry { server: server.into(), name: name.into(), description: Digest::of(description), schema }
    }

    #[test]
    fn neither_order_nor_repetition_counts_and_every_word_does() {
        let (a, b) = (tool("files", "read", "Reads."), tool("files", "write", "Writes."));
        let one = ToolManifest::of([a.clone(), b.clone()]);
        assert_eq!(one, ToolManifest::of([b.clone(), a.clone(), b.clone()]));
        for other in [tool("mail", "read", "Reads."), tool("files", "reads", "Reads."), tool("files", "read", "Reads!")]
        {
            assert_ne!(one.digest, ToolManifest::of([other, b.clone()]).digest);
        }
        let schema = ToolEntry { schema: Digest::of("{}"), ..a };
        assert_ne!(one.digest, ToolManifest::of([schema, b]).digest);
    }

    #[test]
    fn the_form_is_the_one_of_the_page() {
        let text = String::from_utf8(ToolManifest::of([tool("files", "read", "")]).canonical()).unwrap();
        let empty = Digest::of("").to_b64();
        assert!(text.starts_with(&format!(r#"[{{"description":"{empty}","name":"read","schema":""#)), "{text}");
        assert!(text.ends_with(r#"","server":"files"}]"#), "{text}");
    }
}
