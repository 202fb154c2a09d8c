//! A checker of JSON Schema for the keywords that sockeye's schemas use, and no others: a schema that
//! has another keyword, format or pattern is refused, so that nothing passes unchecked.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde_json::{Map, Value};

/// What of `value` does not conform to `schema`, each with its place; empty when all does.
///
/// # Panics
/// The schema is not one that this checker knows.
#[must_use]
pub fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let Value::Object(keywords) = schema else { panic!("{place}: a schema is an object") };
    let properties = match keywords.get("properties") {
        None => None,
        Some(Value::Object(properties)) => Some(properties),
        Some(other) => panic!("{place}: properties are an object, not {other}"),
    };
    for (keyword, said) in keywords {
        let holds = match (keyword.as_str(), said, value) {
            ("$schema" | "title" | "description", Value::String(_), _) => true,
            ("type", Value::String(name), _) => is_of_type(value, name),
            ("const", _, _) => value == said,
            ("enum", Value::Array(values), _) => values.contains(value),
            ("anyOf", Value::Array(schemas), _) => {
                schemas.iter().any(|schema| violations(schema, value).is_empty())
            }
            ("minimum", Value::Number(least), Value::Number(number)) => {
                number.as_u64() >= Some(least.as_u64().expect("no limit below 0 is known here"))
            }
            ("maximum", Value::Number(greatest), Value::Number(number)) => {
                number.as_u64().is_some_and(|number| Some(number) <= greatest.as_u64())
            }
            ("format", Value::String(format), Value::String(text)) => match format.as_str() {
                "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
                "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
                other => panic!("{place}: format {other:?} is not known here"),
            },
            ("pattern", Value::String(pattern), Value::String(text)) => {
                is_matched_by(text, pattern)
            }
            ("items", _, Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    check(said, item, &format!("{place}/{index}"), found);
                }
                true
            }
            ("uniqueItems", Value::Bool(true), Value::Array(items)) => {
                items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
            }
            ("properties", Value::Object(properties), Value::Object(members)) => {
                for (name, schema) in properties {
                    if let Some(value) = members.get(name) {
                        check(schema, value, &format!("{place}/{name}"), found);
                    }
                }
                true
            }
            ("required", Value::Array(names), Value::Object(members)) => {
                names.iter().all(|name| name.as_str().is_some_and(|name| has(members, name)))
            }
            ("additionalProperties", Value::Bool(false), Value::Object(members)) => members
                .keys()
                .all(|name| properties.is_some_and(|properties| has(properties, name))),
            (
                "minimum"
                | "maximum"
                | "format"
                | "pattern"
                | "items"
                | "uniqueItems"
                | "properties"
                | "required"
                | "additionalProperties",
                _,
                _,
            ) if keywords.contains_key("type") => {
                // Of a value of another type; the type says so.
                true
            }
            ("format" | "pattern", _, _) => false,
            (keyword, said, _) => panic!("{place}: {keyword}: {said} is not known here"),
        };
        if !holds {
            found.push(format!("{place}: {value} is not of {keyword} {said}"));
        }
    }
}

fn has(members: &Map<String, Value>, name: &str) -> bool {
    members.contains_key(name)
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("type {other:?} is not known here"),
    }
}

fn is_matched_by(text: &str, pattern: &str) -> bool {
    match pattern {
        "^[0-9]+$" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "^0x[0-9a-f]{1,16}$" => text.strip_prefix("0x").is_some_and(|digits| {
            (1..=16).contains(&digits.len())
                && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }),
        other => panic!("pattern {other:?} is not known here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_does_not_conform_is_found() {
        let schema = json!({
            "type": "object",
            "properties": {
                "port": {"type": "integer", "minimum": 0, "maximum": 65535},
                "id": {"type": "string", "pattern": "^0x[0-9a-f]{1,16}$"},
                "address": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
                "state": {"type": "string", "anyOf": [{"enum": ["a"]}, {"pattern": "^[0-9]+$"}]},
                "set": {"type": "array", "items": {"type": "string"}, "uniqueItems": true},
                "mark": {"const": true},
            },
            "required": ["port"],
            "additionalProperties": false,
        });
        for good in [
            json!({"port": 0}),
            json!({"port": 65535, "id": "0x1f", "address": "::1", "state": "a", "set": ["x"]}),
            json!({"port": 1, "address": "10.0.0.1", "state": "14", "set": [], "mark": true}),
        ] {
            assert_eq!(violations(&schema, &good), Vec::<String>::new());
        }
        for bad in [
            json!(7),
            json!({}),
            json!({"port": null}),
            json!({"port": 65536}),
            json!({"port": -1}),
            json!({"port": "1"}),
            json!({"port": 1, "id": "1f"}),
            json!({"port": 1, "id": "0x"}),
            json!({"port": 1, "address": "nowhere"}),
            json!({"port": 1, "state": "b"}),
            json!({"port": 1, "set": ["x", "x"]}),
            json!({"port": 1, "set": [1]}),
            json!({"port": 1, "mark": false}),
            json!({"port": 1, "more": 1}),
        ] {
            assert!(!violations(&schema, &bad).is_empty(), "{bad}");
        }
    }

    #[test]
    #[should_panic(expected = "not known here")]
    fn a_keyword_that_is_not_known_is_refused() {
        let _ = violations(&json!({"type": "integer", "multipleOf": 2}), &json!(3));
    }
}
