//! A JSON Schema (draft 2020-12) of the objects, made from the tables.

use std::fmt::Write;

use sockeye_model::field::{Field, Kind, Section};

/// The schema of a record: the objects of `--json` conform to it, and have no other keys. Fields
/// of the first section that are never absent are required.
#[must_use]
pub fn schema(title: &str, description: &str, sections: &[Section]) -> String {
    let mut properties = Members::default();
    for field in sections.iter().flat_map(|section| section.fields) {
        property(&mut properties, field);
    }
    let required = sections.first().map_or(&[][..], |section| section.fields);
    let mut whole = Members::default();
    whole.text("$schema", "https://json-schema.org/draft/2020-12/schema");
    whole.text("title", title);
    whole.text("description", description);
    object(&mut whole, properties, required);
    let mut text = String::new();
    whole.write(&mut text, 0);
    text.push('\n');
    text
}

/// What is said of an object.
fn object(members: &mut Members, properties: Members, fields: &[Field]) {
    members.text("type", "object");
    members.insert("properties", Node::Object(properties));
    let required = fields.iter().filter(|field| field.always);
    members.insert("required", Node::List(required.map(|field| string(field.name)).collect()));
    members.insert("additionalProperties", Node::Plain("false".to_owned()));
}

fn property(properties: &mut Members, field: &Field) {
    let mut members = Members::default();
    members.text("description", &description(field));
    kind(&mut members, field.kind);
    properties.insert(field.name, Node::Object(members));
    if field.kind == Kind::Bytes {
        let mut marks = Members::default();
        marks.text(
            "description",
            &format!(
                "{} is not UTF-8: stray bytes in it are written \\xNN, and backslashes doubled",
                field.name
            ),
        );
        marks.insert("const", Node::Plain("true".to_owned()));
        properties.insert(&format!("{}_escaped", field.name), Node::Object(marks));
    }
}

/// Meaning, unit and source in one line.
fn description(field: &Field) -> String {
    let mut text = field.meaning.to_owned();
    if !field.unit.is_empty() {
        let _ = write!(text, " Unit: {}.", field.unit);
    }
    if !field.kernel.is_empty() {
        let _ = write!(text, " Source: {}", field.kernel);
        if !field.since.is_empty() {
            let _ = write!(text, ", since Linux {}", field.since);
        }
        text.push('.');
    }
    text
}

fn kind(members: &mut Members, kind: Kind) {
    match kind {
        Kind::Unsigned(bits) => {
            members.text("type", "integer");
            members.insert("minimum", Node::Plain("0".to_owned()));
            let greatest = u64::MAX >> (64 - u32::from(bits.clamp(1, 64)));
            members.insert("maximum", Node::Plain(greatest.to_string()));
        }
        Kind::Boolean => members.text("type", "boolean"),
        Kind::Bytes => members.text("type", "string"),
        Kind::Id => {
            members.text("type", "string");
            members.text("pattern", "^0x[0-9a-f]{1,16}$");
        }
        Kind::Address => {
            members.text("type", "string");
            let formats = ["ipv4", "ipv6"].map(|format| {
                let mut members = Members::default();
                members.text("format", format);
                Node::Object(members)
            });
            members.insert("anyOf", Node::List(formats.into()));
        }
        Kind::Word(names) => word(members, names),
        Kind::Flags(names) => {
            let mut items = Members::default();
            word(&mut items, names);
            members.text("type", "array");
            members.insert("items", Node::Object(items));
            members.insert("uniqueItems", Node::Plain("true".to_owned()));
        }
        Kind::Records(fields) => {
            let mut properties = Members::default();
            for field in fields {
                property(&mut properties, field);
            }
            let mut items = Members::default();
            object(&mut items, properties, fields);
            members.text("type", "array");
            members.insert("items", Node::Object(items));
        }
    }
}

/// A name, or the number of one that is not known.
fn word(members: &mut Members, names: &[&str]) {
    members.text("type", "string");
    let (mut known, mut unknown) = (Members::default(), Members::default());
    known.insert("enum", Node::List(names.iter().map(|name| string(name)).collect()));
    unknown.text("pattern", "^[0-9]+$");
    members.insert("anyOf", Node::List(vec![Node::Object(known), Node::Object(unknown)]));
}

/// JSON to be laid out for readers.
enum Node {
    /// Written as it is.
    Plain(String),
    List(Vec<Node>),
    Object(Members),
}

/// Keys and values, in order.
#[derive(Default)]
struct Members(Vec<(String, Node)>);

impl Members {
    fn insert(&mut self, key: &str, value: Node) {
        self.0.push((key.to_owned(), value));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.insert(key, string(value));
    }

    fn write(&self, out: &mut String, indent: usize) {
        let entries = self.0.iter().map(|(key, node)| (Some(key.as_str()), node));
        block(out, ['{', '}'], indent, entries);
    }
}

impl Node {
    fn write(&self, out: &mut String, indent: usize) {
        match self {
            Node::Plain(text) => out.push_str(text),
            Node::Object(members) => members.write(out, indent),
            Node::List(nodes) => {
                block(out, ['[', ']'], indent, nodes.iter().map(|node| (None, node)));
            }
        }
    }
}

/// One entry a line.
fn block<'a>(
    out: &mut String,
    [open, close]: [char; 2],
    indent: usize,
    entries: impl Iterator<Item = (Option<&'a str>, &'a Node)>,
) {
    out.push(open);
    let mut any = false;
    for (key, node) in entries {
        out.push_str(if any { ",\n" } else { "\n" });
        any = true;
        out.push_str(&"  ".repeat(indent + 1));
        if let Some(key) = key {
            let _ = write!(out, "{}: ", quoted(key));
        }
        node.write(out, indent + 1);
    }
    if any {
        out.push('\n');
        out.push_str(&"  ".repeat(indent));
    }
    out.push(close);
}

fn string(text: &str) -> Node {
    Node::Plain(quoted(text))
}

fn quoted(text: &str) -> String {
    let mut bytes = Vec::new();
    crate::text::write(&mut bytes, text.as_bytes());
    format!("\"{}\"", String::from_utf8_lossy(&bytes))
}
