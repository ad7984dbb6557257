//! Taking a document that somebody else wrote into one of ours.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::inventory::SourceDocument;

/// What a document brings, every name in it made its own.
#[derive(Debug, Default)]
pub(in crate::documents) struct Part {
    /// Its packages.
    pub(in crate::documents) packages: Vec<Value>,
    /// Its files.
    pub(in crate::documents) files: Vec<Value>,
    /// The texts of licences that have no name in general use.
    pub(in crate::documents) licences: Vec<Value>,
    /// The names of what it is about.
    pub(in crate::documents) described: Vec<String>,
    /// How all that hangs together.
    pub(in crate::documents) relationships: Vec<Value>,
}

/// Why a document cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// Not SPDX 2.
    #[error("`{document}` is no SPDX 2 document: its version is {found:?}")]
    Version {
        /// The document.
        document: String,
        /// What it says.
        found: String,
    },
    /// A name that SPDX does not allow, or none.
    #[error("`{document}` names something {found:?}, which is no SPDX identifier")]
    Name {
        /// The document.
        document: String,
        /// The name.
        found: String,
    },
    /// Two things with one name.
    #[error("`{document}` has two things called {name:?}")]
    Twice {
        /// The document.
        document: String,
        /// The name.
        name: String,
    },
}

const ELEMENT: &str = "SPDXRef-";
const LICENCE: &str = "LicenseRef-";
/// Keys whose values are licence expressions, or lists of them.
const EXPRESSIONS: [&str; 4] =
    ["licenseConcluded", "licenseDeclared", "licenseInfoFromFiles", "licenseInfoInFiles"];
/// Fields that only have a meaning in the document they come from.
const DROPPED: [&str; 2] = ["annotations", "fileDependencies"];

/// The parts of a document, renamed: `SPDXRef-x` becomes `<prefix>-x`, and `LicenseRef-x` likewise.
///
/// Left out are snippets, annotations, and what refers to further documents.
pub(in crate::documents) fn merge(document: &SourceDocument, prefix: &str) -> Result<Part, MergeError> {
    let version = document.content.get("spdxVersion").and_then(Value::as_str).unwrap_or_default();
    if !version.starts_with("SPDX-2.") {
        return Err(MergeError::Version { document: document.name.clone(), found: version.to_owned() });
    }
    let mut merger = Merger { document, prefix, names: BTreeSet::new() };
    let mut part = Part {
        packages: merger.elements("packages")?,
        files: merger.elements("files")?,
        licences: merger.licences(),
        ..Part::default()
    };
    for package in &mut part.packages {
        merger.rename_files(package);
    }
    merger.relationships(&mut part);
    Ok(part)
}

struct Merger<'a> {
    document: &'a SourceDocument,
    prefix: &'a str,
    /// The names of the elements, as the document has them.
    names: BTreeSet<String>,
}

impl Merger<'_> {
    fn list(&self, key: &str) -> &[Value] {
        self.document.content.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn elements(&mut self, key: &str) -> Result<Vec<Value>, MergeError> {
        let mut elements = Vec::new();
        for element in self.list(key).to_vec() {
            let name = element.get("SPDXID").and_then(Value::as_str).unwrap_or_default().to_owned();
            let document = || self.document.name.clone();
            let Some(new) = self.renamed(&name) else {
                return Err(MergeError::Name { document: document(), found: name });
            };
            if self.names.contains(&name) {
                return Err(MergeError::Twice { document: document(), name });
            }
            let Value::Object(mut fields) = element else { continue };
            DROPPED.iter().for_each(|key| drop(fields.remove(*key)));
            self.rename_licences(&mut fields);
            fields.insert("SPDXID".to_owned(), new.into());
            self.names.insert(name);
            elements.push(Value::Object(fields));
        }
        Ok(elements)
    }

    /// The new name of an element.
    fn renamed(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(ELEMENT)?;
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
        (!rest.is_empty() && rest.chars().all(good)).then(|| format!("{}-{rest}", self.prefix))
    }

    /// The new name of an element that is there.
    fn known(&self, name: Option<&Value>) -> Option<String> {
        let name = name.and_then(Value::as_str)?;
        self.names.contains(name).then(|| self.renamed(name)).flatten()
    }

    fn rename_files(&self, package: &mut Value) {
        if let Some(files) = package.get_mut("hasFiles") {
            let names = files.as_array().map_or(&[][..], Vec::as_slice);
            *files = names.iter().filter_map(|name| self.known(Some(name))).map(Value::from).collect();
        }
    }

    fn licences(&self) -> Vec<Value> {
        let renamed = self.list("hasExtractedLicensingInfos").iter().filter_map(|licence| {
            let id = licence.get("licenseId").and_then(Value::as_str)?;
            let mut licence = licence.as_object()?.clone();
            licence.insert("licenseId".to_owned(), self.expression(id).into());
            Some(Value::Object(licence))
        });
        renamed.collect()
    }

    fn rename_licences(&self, fields: &mut Map<String, Value>) {
        for key in EXPRESSIONS {
            match fields.get_mut(key) {
                Some(Value::String(text)) => *text = self.expression(text),
                Some(Value::Array(texts)) => {
                    for text in texts {
                        if let Value::String(text) = text {
                            *text = self.expression(text);
                        }
                    }
                }
                Some(_) | None => {}
            }
        }
    }

    /// A licence expression with the names of the document's own licences made its own.
    fn expression(&self, text: &str) -> String {
        if text.contains("DocumentRef-") {
            return super::NO_ASSERTION.to_owned();
        }
        let prefix = self.prefix.strip_prefix(ELEMENT).unwrap_or(self.prefix);
        let mut renamed = String::new();
        for word in text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))) {
            match word.strip_prefix(LICENCE) {
                Some(rest) => renamed.push_str(&format!("{LICENCE}{prefix}-{rest}")),
                None => renamed.push_str(word),
            }
        }
        renamed
    }

    /// Says what the document is about, and how its elements hang together. What is about something that is not there is
    /// left out.
    fn relationships(&self, part: &mut Part) {
        let mut described: Vec<String> =
            self.list("documentDescribes").iter().filter_map(|name| self.known(Some(name))).collect();
        for relationship in self.list("relationships") {
            let kind = relationship.get("relationshipType").and_then(Value::as_str).unwrap_or_default();
            let (from, to) = (relationship.get("spdxElementId"), relationship.get("relatedSpdxElement"));
            let is_document = |name: Option<&Value>| name.and_then(Value::as_str) == Some(super::DOCUMENT);
            match kind {
                "DESCRIBES" if is_document(from) => described.extend(self.known(to)),
                "DESCRIBED_BY" if is_document(to) => described.extend(self.known(from)),
                _ => part.relationships.extend(self.relationship(relationship)),
            }
        }
        if described.is_empty() {
            let ids = part.packages.iter().filter_map(|package| package.get("SPDXID")?.as_str());
            described = ids.map(str::to_owned).collect();
        }
        let mut seen = BTreeSet::new();
        described.retain(|name| seen.insert(name.clone()));
        part.described = described;
    }

    fn relationship(&self, relationship: &Value) -> Option<Value> {
        let mut renamed = relationship.as_object()?.clone();
        renamed.insert("spdxElementId".to_owned(), self.known(relationship.get("spdxElementId"))?.into());
        let to = relationship.get("relatedSpdxElement");
        if !matches!(to.and_then(Value::as_str), Some("NONE" | super::NO_ASSERTION)) {
            renamed.insert("relatedSpdxElement".to_owned(), self.known(to)?.into());
        }
        Some(Value::Object(renamed))
    }
}
