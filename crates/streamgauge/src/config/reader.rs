//! Typed reads from the tree. A section knows which keys were asked for, so that the rest are unknown keys.

use super::node::{Entry, Node, Origin, Value};
use super::problem::{Problem, nearest};

/// One mapping of the tree while it is read. Complaints are gathered, not thrown: the user sees all at once.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    path: String,
    entries: &'a [Entry],
    known: Vec<&'static str>,
}

// === impl Section ===

impl<'a> Section<'a> {
    /// The section that `node` holds; a missing or empty one has no keys.
    pub(crate) fn of(path: String, node: Option<&'a Node>, problems: &mut Vec<Problem>) -> Self {
        let entries = match node.map(|node| (&node.value, &node.origin)) {
            None | Some((Value::Null, _)) => &[][..],
            Some((Value::Map(entries), _)) => entries.as_slice(),
            Some((other, origin)) => {
                let message = format!("expected a mapping of keys, found {}", other.kind());
                problems.push(Problem {
                    origin: origin.clone(),
                    key: path.clone(),
                    message,
                });
                &[]
            }
        };
        Self {
            path,
            entries,
            known: Vec::new(),
        }
    }

    /// The path of one of its keys.
    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// The value of a key; `None` when it is missing or empty. Counts as asked for.
    pub(crate) fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        match &entry.node.value {
            Value::Null => None,
            // An optional variable that is not set (`${TOKEN:-}`) means the same as no key at all.
            Value::Scalar(text) if text.is_empty() => None,
            _ => Some(&entry.node),
        }
    }

    /// The section below a key.
    pub(crate) fn section(&mut self, key: &'static str, problems: &mut Vec<Problem>) -> Self {
        Self::of(self.path_of(key), self.node(key), problems)
    }

    /// One scalar, read by `parse`; `None` when it is missing or wrong.
    pub(crate) fn optional<T>(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.node(key)?;
        scalar(node, &self.path_of(key), problems, parse)
    }

    /// One scalar, read by `parse`; the fallback when it is missing or wrong (then there is a complaint,
    /// too).
    pub(crate) fn value<T>(
        &mut self,
        key: &'static str,
        fallback: T,
        problems: &mut Vec<Problem>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> T {
        self.optional(key, problems, parse).unwrap_or(fallback)
    }

    /// A list of scalars. One scalar is a list too, cut at its commas, as environment variables write it.
    pub(crate) fn list<T>(
        &mut self,
        key: &'static str,
        problems: &mut Vec<Problem>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let node = self.node(key)?;
        let path = self.path_of(key);
        let items = items(node);
        let indexed = items.iter().enumerate();
        Some(
            indexed
                .filter_map(|(nth, item)| scalar(item, &format!("{path}[{nth}]"), problems, &parse))
                .collect(),
        )
    }

    /// Complains about every key that nobody asked for.
    pub(crate) fn finish(self, problems: &mut Vec<Problem>) {
        for entry in self.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            let hint = match nearest(&entry.key, &self.known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known here: {}", self.known.join(", ")),
            };
            problems.push(Problem {
                origin: entry.origin.clone(),
                key: self.path_of(&entry.key),
                message: format!("unknown key; {hint}"),
            });
        }
    }
}

/// The items of a list node; a scalar is cut at its commas.
pub(crate) fn items(node: &Node) -> Vec<Node> {
    match &node.value {
        Value::List(items) => items.clone(),
        Value::Scalar(text) => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            parts
                .map(|part| Node::scalar(part, node.origin.clone()))
                .collect()
        }
        Value::Null => Vec::new(),
        Value::Map(_) => vec![node.clone()],
    }
}

/// One scalar, read by `parse`; a complaint and `None` when it is anything else.
pub(crate) fn scalar<T>(
    node: &Node,
    path: &str,
    problems: &mut Vec<Problem>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    let outcome = match &node.value {
        Value::Scalar(text) => parse(text),
        other => Err(format!("expected a single value, found {}", other.kind())),
    };
    match outcome {
        Ok(value) => Some(value),
        Err(message) => {
            problems.push(Problem {
                origin: node.origin.clone(),
                key: path.to_owned(),
                message,
            });
            None
        }
    }
}

/// The path of `key` below `path`.
pub(crate) fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The node at a path of keys and indexes.
pub(crate) fn lookup<'a>(node: &'a Node, path: &[&str]) -> Option<&'a Node> {
    let Some((step, rest)) = path.split_first() else {
        return Some(node);
    };
    let next = match &node.value {
        Value::Map(entries) => &entries.iter().find(|entry| entry.key == *step)?.node,
        Value::List(items) => items.get(step.parse::<usize>().ok()?)?,
        Value::Null | Value::Scalar(_) => return None,
    };
    lookup(next, rest)
}

/// Where the value at `path` was written; [`Origin::Default`] when nobody wrote it.
pub(crate) fn origin_of(root: &Node, path: &[&str]) -> Origin {
    lookup(root, path).map_or(Origin::Default, |node| node.origin.clone())
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Source, parse};
    use super::*;

    #[test]
    fn unknown_keys_and_wrong_shapes_are_told_with_their_places() {
        let text = "listen: [a, b]\nmax_bdy: 1\nthreads: [1]\n";
        let root = parse(text, &Source::File("a.yaml".into())).unwrap();
        let mut problems = Vec::new();
        let mut section = Section::of("proxy".to_owned(), Some(&root), &mut problems);
        let word = |text: &str| Ok(text.to_owned());
        assert_eq!(section.list("listen", &mut problems, word).unwrap(), ["a", "b"]);
        assert_eq!(section.optional("max_body", &mut problems, word), None);
        assert_eq!(section.optional("threads", &mut problems, word), None);
        section.finish(&mut problems);
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            [
                "a.yaml:3: proxy.threads: expected a single value, found a list",
                "a.yaml:2: proxy.max_bdy: unknown key; did you mean `max_body`?",
            ]
        );
    }
}
