//! `${VARIABLE}` and `${VARIABLE:-fallback}` inside the values of a file.
//!
//! It works on parsed values, never on the text of the file: a variable's content cannot add keys.

use super::environment::Environment;
use super::node::{Node, Value};
use super::problem::Problem;

/// Replaces every reference below `node` and appends a complaint for each that cannot be replaced.
pub(crate) fn substitute(node: &mut Node, path: &str, env: &Environment, problems: &mut Vec<Problem>) {
    match &mut node.value {
        Value::Null => {}
        Value::Scalar(text) => match expand(text, env) {
            Ok(expanded) => *text = expanded,
            Err(message) => {
                problems.push(Problem {
                    origin: node.origin.clone(),
                    key: path.to_owned(),
                    message,
                });
            }
        },
        Value::List(items) => {
            for (nth, item) in items.iter_mut().enumerate() {
                substitute(item, &format!("{path}[{nth}]"), env, problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                let path = super::reader::join(path, &entry.key);
                substitute(&mut entry.node, &path, env, problems);
            }
        }
    }
}

/// The text with its references replaced; `$${` stands for a literal `${`.
fn expand(text: &str, env: &Environment) -> Result<String, String> {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, reference) = rest.split_at(at);
        if let Some(literal) = before.strip_suffix('$') {
            expanded.push_str(literal);
            expanded.push_str("${");
            rest = &reference[2..];
            continue;
        }
        expanded.push_str(before);
        let Some(end) = reference.find('}') else {
            return Err("`${` without its `}`; write `$${` for a literal one".to_owned());
        };
        let inner = &reference[2..end];
        let (name, fallback) = match inner.split_once(":-") {
            Some((name, fallback)) => (name, Some(fallback)),
            None => (inner, None),
        };
        match (env.get(name).filter(|value| !value.is_empty()), fallback) {
            (Some(value), _) => expanded.push_str(value),
            (None, Some(fallback)) => expanded.push_str(fallback),
            (None, None) => {
                return Err(format!(
                    "environment variable `{name}` is not set; set it or write `${{{name}:-fallback}}`"
                ));
            }
        }
        rest = &reference[end + 1..];
    }
    expanded.push_str(rest);
    Ok(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env() -> Environment {
        Environment::of([("HOST", "10.0.0.1"), ("EMPTY", "")])
    }

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        for (text, expected) in [
            ("http://${HOST}:8000", "http://10.0.0.1:8000"),
            ("${HOST}${HOST}", "10.0.0.110.0.0.1"),
            ("${NONE:-here}", "here"),
            ("${EMPTY:-here}", "here"),
            ("${NONE:-}", ""),
            ("plain $HOST stays", "plain $HOST stays"),
            ("$${HOST}", "${HOST}"),
        ] {
            assert_eq!(expand(text, &env()).unwrap(), expected, "for {text}");
        }
    }

    #[test]
    fn a_missing_variable_is_named() {
        for (text, word) in [
            ("${NONE}", "`NONE` is not set"),
            ("${EMPTY}", "`EMPTY`"),
            ("${HOST", "`}`"),
        ] {
            let refusal = expand(text, &env()).unwrap_err();
            assert!(refusal.contains(word), "{text}: {refusal}");
        }
    }
}
