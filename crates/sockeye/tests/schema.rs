//! `sockeye schema`: docs/schema/ is what it prints.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use sockeye_model::Socket;

fn schema(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sockeye")).arg("schema").args(arguments).output().unwrap()
}

#[track_caller]
fn is_committed(arguments: &[&str], file: &str) -> String {
    let output = schema(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema").join(file);
    let printed = String::from_utf8(output.stdout).unwrap();
    let committed = fs::read_to_string(path).unwrap_or_default();
    // Not assert_eq: the difference of two long texts helps nobody.
    assert!(printed == committed, "docs/schema/{file} is out of date: run `make schema`");
    printed
}

#[test]
fn documentation_is_what_the_table_says() {
    let text = is_committed(&["socket"], "socket.md");
    assert_eq!(text, is_committed(&["socket", "--format", "markdown"], "socket.md"));
    for field in Socket::SECTIONS.iter().flat_map(|section| section.fields) {
        assert!(text.contains(&format!("| `{}` | ", field.name)), "{}", field.name);
        assert!(text.contains(field.meaning), "{}", field.meaning);
    }
}

#[test]
fn the_schema_is_what_the_table_says() {
    let text = is_committed(&["socket", "--format", "json-schema"], "socket.schema.json");
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["additionalProperties"], false);
    let properties = schema["properties"].as_object().unwrap();
    for field in Socket::SECTIONS.iter().flat_map(|section| section.fields) {
        let description = properties[field.name]["description"].as_str().unwrap();
        assert!(description.starts_with(field.meaning), "{}", field.name);
    }
}

#[test]
fn a_record_that_is_not_known_is_refused_with_those_that_are() {
    for arguments in [&["sock"][..], &[]] {
        let output = schema(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("possible values: socket, kill"), "{said}");
        assert!(output.stdout.is_empty());
    }
}
