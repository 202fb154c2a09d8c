//! The documentation of a record's fields in Markdown, made from the tables.

use std::fmt::Write;

use sockeye_model::field::{Field, Kind, Section};

/// Chapters with a table of fields each.
#[must_use]
pub fn documentation(title: &str, description: &str, sections: &[Section]) -> String {
    let mut text = format!("# {title}\n\n{description}\n");
    for section in sections {
        let _ = write!(text, "\n## {}\n\n", section.title);
        if !section.when.is_empty() {
            let _ = write!(text, "{}\n\n", section.when);
        }
        table(&mut text, section.fields);
        for field in section.fields {
            details(&mut text, field);
        }
    }
    text
}

fn table(text: &mut String, fields: &[Field]) {
    text.push_str("| field | value | unit | meaning | source | since Linux |\n");
    text.push_str("|---|---|---|---|---|---|\n");
    for field in fields {
        let _ = writeln!(
            text,
            "| `{}` | {}{} | {} | {} | {} | {} |",
            field.name,
            value(field.kind),
            if field.always { ", always" } else { "" },
            field.unit,
            field.meaning.replace('|', "\\|"),
            if field.kernel.is_empty() { String::new() } else { format!("`{}`", field.kernel) },
            field.since,
        );
    }
}

/// What does not fit into a cell: names, and fields of fields.
fn details(text: &mut String, field: &Field) {
    match field.kind {
        Kind::Word(names) | Kind::Flags(names) => {
            let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
            let _ = write!(text, "\n`{}`: {}.\n", field.name, names.join(", "));
        }
        Kind::Records(fields) => {
            let _ = write!(text, "\nEach of `{}`:\n\n", field.name);
            table(text, fields);
        }
        Kind::Unsigned(_) | Kind::Boolean | Kind::Bytes | Kind::Id | Kind::Address => {}
    }
}

fn value(kind: Kind) -> String {
    match kind {
        Kind::Unsigned(bits) => format!("number, {bits} bits"),
        Kind::Boolean => "boolean".to_owned(),
        Kind::Word(_) => "name".to_owned(),
        Kind::Flags(_) => "list of names".to_owned(),
        Kind::Bytes => "text".to_owned(),
        Kind::Id => "hexadecimal".to_owned(),
        Kind::Address => "address".to_owned(),
        Kind::Records(_) => "list of objects".to_owned(),
    }
}
