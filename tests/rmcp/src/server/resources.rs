//! A text, an image, and a template of which each name has a resource.

use rmcp::ErrorData;
use rmcp::model::{
    CacheScope, ListResourceTemplatesResult, ListResourcesResult, ReadResourceResult, Resource, ResourceContents,
    ResourceTemplate,
};
use serde_json::json;

use super::CACHE_TTL_MS;
use super::tools::PIXEL_PNG;

pub(super) const TEXT: &str = "test://static-text";
const BINARY: &str = "test://static-binary";
const WATCHED: &str = "test://watched-resource";
const TEMPLATE: (&str, &str) = ("test://template/", "/data");

pub(super) fn list() -> ListResourcesResult {
    let resources = vec![
        Resource::new(TEXT, "static-text").with_description("A text that never changes").with_mime_type("text/plain"),
        Resource::new(BINARY, "static-binary").with_description("An image of one pixel").with_mime_type("image/png"),
        Resource::new(WATCHED, "watched-resource").with_description("To subscribe to").with_mime_type("text/plain"),
    ];
    ListResourcesResult::with_all_items(resources).with_ttl_ms(CACHE_TTL_MS).with_cache_scope(CacheScope::Public)
}

pub(super) fn templates() -> ListResourceTemplatesResult {
    let template = ResourceTemplate::new(format!("{}{{id}}{}", TEMPLATE.0, TEMPLATE.1), "template")
        .with_description("One resource for each id")
        .with_mime_type("application/json");
    ListResourceTemplatesResult::with_all_items(vec![template])
        .with_ttl_ms(CACHE_TTL_MS)
        .with_cache_scope(CacheScope::Public)
}

pub(super) fn read(uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let contents = match uri {
        TEXT => {
            ResourceContents::text("This is the content of the static text resource.", uri).with_mime_type("text/plain")
        }
        WATCHED => ResourceContents::text("Nothing has changed.", uri).with_mime_type("text/plain"),
        BINARY => ResourceContents::blob(PIXEL_PNG, uri).with_mime_type("image/png"),
        _ => from_template(uri).ok_or_else(|| not_found(uri))?,
    };
    Ok(ReadResourceResult::new(vec![contents]).with_ttl_ms(CACHE_TTL_MS).with_cache_scope(CacheScope::Public))
}

fn from_template(uri: &str) -> Option<ResourceContents> {
    let id = uri.strip_prefix(TEMPLATE.0)?.strip_suffix(TEMPLATE.1)?;
    let text = json!({"id": id, "templateTest": true, "data": format!("Data for ID: {id}")}).to_string();
    Some(ResourceContents::text(text, uri).with_mime_type("application/json"))
}

fn not_found(uri: &str) -> ErrorData {
    ErrorData::resource_not_found(format!("there is no resource {uri}"), Some(json!({"uri": uri})))
}
