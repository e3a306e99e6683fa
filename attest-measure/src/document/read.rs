//! Reading a manifest, member by member.

use attest_core::claims::{Claims, ClaimsError};
use attest_core::json::{self, Value};
use attest_core::measurement::{Component, Grade, Measurement};

use super::{Document, DocumentError, FORMAT, Lists};
use crate::manifest::{FileEntry, Manifest, distinct};
use crate::tensors::{FileTensors, MAX_PARTS, Tensor, TensorManifest, too_many_parts};

impl From<ClaimsError> for DocumentError {
    fn from(error: ClaimsError) -> Self {
        match error {
            ClaimsError::Missing(name) | ClaimsError::Invalid(name) | ClaimsError::Key(name, _) => Self::Form(name),
            ClaimsError::NotAnObject => Self::Form("an element"),
            _ => Self::Form("a member that it does not have"),
        }
    }
}

pub(super) fn document(text: &[u8]) -> Result<Document, DocumentError> {
    if too_many_parts(text) {
        return Err(DocumentError::TooManyParts { limit: MAX_PARTS });
    }
    let value = json::parse(text).map_err(DocumentError::Json)?;
    let mut members = Claims::of(&value)?;
    if members.text("format")? != FORMAT {
        return Err(DocumentError::Form("format"));
    }
    let agent = members.name("agent")?;
    let rows = members.array("components")?;
    let measurements = rows.iter().map(measurement).collect::<Result<Vec<_>, _>>()?;
    ascending("components", measurements.iter().map(|m| m.component))?;
    let mut lists = Lists::default();
    if let Some(value) = members.optional("files") {
        let mut files = Claims::of(value)?;
        for (component, list) in
            [(Component::Harness, &mut lists.harness), (Component::ModelWeights, &mut lists.weights)]
        {
            if let Some(value) = files.optional(component.as_str()) {
                *list = Some(manifest(component.as_str(), value)?);
            }
        }
        files.finish()?;
    }
    if let Some(value) = members.optional("tensors") {
        lists.tensors = Some(tensors(value)?);
    }
    members.finish()?;
    let document = Document { agent, measurements, lists };
    let Lists { harness, weights, tensors } = &document.lists;
    for (component, digest) in [
        (Component::Harness, harness.as_ref().map(|list| list.digest)),
        (Component::ModelWeights, weights.as_ref().map(|list| list.digest)),
        (Component::ModelTensors, tensors.as_ref().map(|list| list.digest)),
    ] {
        if digest.is_some() && document.measurement(component).map(|m| m.digest) != digest {
            return Err(DocumentError::OtherDigest(component));
        }
    }
    Ok(document)
}

fn ascending<T: PartialOrd>(what: &'static str, names: impl Iterator<Item = T>) -> Result<(), DocumentError> {
    if names.is_sorted_by(|a, b| a < b) { Ok(()) } else { Err(DocumentError::Order(what)) }
}

fn measurement(value: &Value<'_>) -> Result<Measurement, DocumentError> {
    let mut row = Claims::of(value)?;
    let component = Component::parse(row.text("component")?).ok_or(DocumentError::Form("component"))?;
    let grade = Grade::parse(row.text("grade")?).ok_or(DocumentError::Form("grade"))?;
    let digest = row.digest("digest")?;
    row.finish()?;
    Ok(Measurement { component, digest, grade })
}

fn manifest(name: &'static str, value: &Value<'_>) -> Result<Manifest, DocumentError> {
    let file = |value| {
        let mut line = Claims::of(value)?;
        let name = line.text("name")?.to_owned();
        let (size, digest) = (line.number("size")?, line.digest("digest")?);
        line.finish()?;
        Ok(FileEntry { name, size, digest })
    };
    let lines = value.as_array().ok_or(DocumentError::Form(name))?;
    let files = lines.iter().map(file).collect::<Result<Vec<_>, DocumentError>>()?;
    ascending(name, files.iter().map(|file| file.name.as_bytes()))?;
    distinct(files.iter().map(|file| &file.name)).map_err(|_| DocumentError::Order(name))?;
    if files.is_empty() {
        return Err(DocumentError::Form(name));
    }
    Ok(Manifest::of(files))
}

fn tensors(value: &Value<'_>) -> Result<TensorManifest, DocumentError> {
    const NAME: &str = "tensors";
    let tensor = |value| {
        let mut line = Claims::of(value)?;
        let (name, dtype) = (line.text("name")?.to_owned(), line.text("dtype")?.to_owned());
        let digest = line.digest("digest")?;
        let shape: Option<Vec<u64>> = line.array("shape")?.iter().map(Value::as_u53).collect();
        line.finish()?;
        Ok(Tensor { name, dtype, shape: shape.ok_or(DocumentError::Form("shape"))?, digest })
    };
    let file = |value| {
        let mut line = Claims::of(value)?;
        let (file, header) = (line.text("file")?.to_owned(), line.digest("header")?);
        let tensors = line.array(NAME)?.iter().map(tensor).collect::<Result<Vec<_>, DocumentError>>()?;
        line.finish()?;
        ascending(NAME, tensors.iter().map(|tensor| tensor.name.as_bytes()))?;
        if tensors.is_empty() {
            return Err(DocumentError::Form(NAME));
        }
        Ok(FileTensors { file, header, tensors })
    };
    let lines = value.as_array().ok_or(DocumentError::Form(NAME))?;
    let files = lines.iter().map(file).collect::<Result<Vec<_>, DocumentError>>()?;
    ascending(NAME, files.iter().map(|file| file.file.as_bytes()))?;
    Ok(TensorManifest::of(files))
}
