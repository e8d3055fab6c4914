//! YAML text in, [`Node`]s out.
//!
//! Scalars keep their written form: `1e3` or `010` means what the key says, not what YAML guesses.

use std::sync::Arc;

use saphyr::{MarkedYaml, ScalarStyle, YamlData, YamlLoader};
use saphyr_parser::{BufferedInput, Parser, ScanError};

use super::node::{Entry, Node, Origin, Value};
use super::problem::Problem;

/// How a piece of YAML names its places.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// A file: places are its lines.
    File(Arc<str>),
    /// One value from elsewhere: every place is that origin.
    Fixed(Origin),
}

/// Reads one YAML document; an empty one is an empty mapping.
///
/// # Errors
/// One complaint with its line, when the text is not YAML or holds several documents.
pub(crate) fn parse(text: &str, source: &Source) -> Result<Node, Problem> {
    let documents = load(text).map_err(|error| Problem {
        origin: source.origin(error.marker().line()),
        key: String::new(),
        message: format!("not valid YAML: {}", error.info()),
    })?;
    match documents.as_slice() {
        [] => Ok(Node::empty()),
        [document] => convert(document, source),
        [_, second, ..] => Err(Problem {
            origin: source.origin(second.span.start.line()),
            key: String::new(),
            message: "a second YAML document begins here; write everything in one".to_owned(),
        }),
    }
}

fn load(text: &str) -> Result<Vec<MarkedYaml<'_>>, ScanError> {
    let mut loader = YamlLoader::default();
    loader.early_parse(false);
    Parser::new(BufferedInput::new(text.chars())).load(&mut loader, true)?;
    match loader.error() {
        Some(error) => Err(error.clone()),
        None => Ok(loader.into_documents()),
    }
}

fn convert(yaml: &MarkedYaml<'_>, source: &Source) -> Result<Node, Problem> {
    let origin = source.origin(yaml.span.start.line());
    let refuse = |message: &str| Problem {
        origin: origin.clone(),
        key: String::new(),
        message: message.to_owned(),
    };
    let value = match &yaml.data {
        YamlData::Representation(text, style, _) => scalar(text, *style),
        YamlData::Sequence(items) => Value::List(
            items
                .iter()
                .map(|item| convert(item, source))
                .collect::<Result<_, _>>()?,
        ),
        YamlData::Mapping(map) => {
            let mut entries = Vec::with_capacity(map.len());
            for (key, node) in map {
                let YamlData::Representation(text, _, _) = &key.data else {
                    return Err(refuse("a key must be a plain word"));
                };
                let origin = source.origin(key.span.start.line());
                entries.push(Entry {
                    key: text.to_string(),
                    origin,
                    node: convert(node, source)?,
                });
            }
            Value::Map(entries)
        }
        _ => return Err(refuse("tags and unknown aliases are not supported here")),
    };
    Ok(Node { value, origin })
}

fn scalar(text: &str, style: ScalarStyle) -> Value {
    match (style, text) {
        (ScalarStyle::Plain, "" | "~" | "null" | "Null" | "NULL") => Value::Null,
        _ => Value::Scalar(text.to_owned()),
    }
}

// === impl Source ===

impl Source {
    fn origin(&self, line: usize) -> Origin {
        match self {
            Self::File(path) => Origin::File {
                path: path.clone(),
                line,
            },
            Self::Fixed(origin) => origin.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Node, Problem> {
        parse(text, &Source::File("a.yaml".into()))
    }

    #[test]
    fn keys_and_values_know_their_lines_and_keep_their_text() {
        let root = file("# first\nproxy:\n  max_in_flight: 010\n").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("a mapping was written")
        };
        assert_eq!(entries[0].origin.to_string(), "a.yaml:2");
        let Value::Map(keys) = &entries[0].node.value else {
            panic!("proxy is a mapping")
        };
        assert_eq!(keys[0].origin.to_string(), "a.yaml:3");
        assert!(
            matches!(&keys[0].node.value, Value::Scalar(text) if text == "010"),
            "not 8"
        );
    }

    #[test]
    fn only_a_plain_empty_value_is_nothing() {
        let root = file("a:\nb: ''\nc: ~\n").unwrap();
        let Value::Map(entries) = root.value else {
            panic!("a mapping was written")
        };
        let kinds: Vec<_> = entries.iter().map(|entry| entry.node.value.kind()).collect();
        assert_eq!(kinds, ["nothing", "a single value", "nothing"]);
    }

    #[test]
    fn broken_yaml_is_one_line_with_its_place() {
        for (text, line) in [("a: [1,\nb: 2", 2), ("a: 1\na: 2\n", 2), ("a: 1\n---\nb: 2\n", 3)] {
            let problem = file(text).unwrap_err().to_string();
            assert!(
                problem.starts_with(&format!("a.yaml:{line}: ")),
                "{text:?} gave {problem}"
            );
            assert!(!problem.contains('\n'), "one line: {problem}");
        }
    }

    #[test]
    fn an_empty_file_is_an_empty_mapping() {
        for text in ["", "# nothing but a comment\n"] {
            let kind = file(text).unwrap().value.kind();
            assert!(kind == "a mapping" || kind == "nothing", "{text:?} gave {kind}");
        }
    }
}
