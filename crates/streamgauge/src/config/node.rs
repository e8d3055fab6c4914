//! The configuration as a tree that remembers where each value was written.
//!
//! Every layer (file, environment, flags) becomes nodes of this one tree; later layers replace what earlier
//! ones said. The origin stays with each node, so that a complaint can name the line or the variable.

use std::fmt;
use std::sync::Arc;

/// A value and the place where it was written.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// What was written.
    pub(crate) value: Value,
    /// Where it was written.
    pub(crate) origin: Origin,
}

/// The shape of a value. Scalars stay text until a key says what they mean.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// Nothing: an empty value, `~` or `null`.
    Null,
    /// Text, a number or a word, as it was written.
    Scalar(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file.
    Map(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// The key.
    pub(crate) key: String,
    /// Where the key stands.
    pub(crate) origin: Origin,
    /// Its value.
    pub(crate) node: Node,
}

/// Where a value comes from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// A line of a file, counted from 1.
    File {
        /// The path as the user gave it.
        path: Arc<str>,
        /// The line.
        line: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A command line flag.
    Flag(&'static str),
    /// Nobody wrote it: a default.
    Default,
}

// === impl Node ===

impl Node {
    /// An empty mapping that nobody wrote.
    pub(crate) const fn empty() -> Self {
        Self {
            value: Value::Map(Vec::new()),
            origin: Origin::Default,
        }
    }

    /// A scalar of one origin.
    pub(crate) fn scalar(text: impl Into<String>, origin: Origin) -> Self {
        Self {
            value: Value::Scalar(text.into()),
            origin,
        }
    }

    /// A list of scalars of one origin.
    pub(crate) fn list(texts: impl IntoIterator<Item = String>, origin: Origin) -> Self {
        let items = texts
            .into_iter()
            .map(|text| Self::scalar(text, origin.clone()))
            .collect();
        Self {
            value: Value::List(items),
            origin,
        }
    }

    /// Puts `node` at `path`, making mappings and list items on the way. A number in the path is an index
    /// where a list stands or where the path says `pools`, the only list of mappings.
    ///
    /// # Errors
    /// A sentence, when an index would leave a hole.
    pub(crate) fn set(&mut self, path: &[&str], node: Self) -> Result<(), String> {
        let Some((step, rest)) = path.split_first() else {
            *self = node;
            return Ok(());
        };
        let origin = node.origin.clone();
        if let Ok(index) = step.parse::<usize>() {
            if !matches!(self.value, Value::List(_)) {
                self.value = Value::List(Vec::new());
            }
            let Value::List(items) = &mut self.value else {
                return Ok(());
            };
            if index > items.len() {
                return Err(format!("item {index} cannot be set before item {}", items.len()));
            }
            if index == items.len() {
                items.push(Self {
                    value: Value::Map(Vec::new()),
                    origin,
                });
            }
            return items[index].set(rest, node);
        }
        if !matches!(self.value, Value::Map(_)) {
            self.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut self.value else {
            return Ok(());
        };
        let at = entries
            .iter()
            .position(|entry| entry.key == *step)
            .unwrap_or_else(|| {
                let node = Self {
                    value: Value::Null,
                    origin: origin.clone(),
                };
                entries.push(Entry {
                    key: (*step).to_owned(),
                    origin: origin.clone(),
                    node,
                });
                entries.len() - 1
            });
        if rest.is_empty() {
            entries[at].origin = origin;
        }
        entries[at].node.set(rest, node)
    }
}

// === impl Value ===

impl Value {
    /// What this is, for messages.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line } => write!(f, "{path}:{line}"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(text: &str) -> Node {
        Node::scalar(text, Origin::Flag("--test"))
    }

    #[test]
    fn a_path_is_made_where_nothing_stands() {
        let mut root = Node::empty();
        root.set(&["pools", "0", "name"], flag("chat")).unwrap();
        root.set(&["pools", "0", "usage"], flag("inject")).unwrap();
        let Value::Map(entries) = &root.value else {
            panic!("the root stays a mapping")
        };
        let Value::List(pools) = &entries[0].node.value else {
            panic!("pools is a list")
        };
        assert_eq!(pools.len(), 1, "both keys belong to the same pool");
        let Value::Map(keys) = &pools[0].value else {
            panic!("a pool is a mapping")
        };
        assert_eq!(
            keys.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(),
            ["name", "usage"]
        );
    }

    #[test]
    fn a_later_layer_replaces_the_value_and_its_origin() {
        let mut root = Node::empty();
        root.set(&["ledger", "url"], Node::scalar("a", Origin::Default))
            .unwrap();
        root.set(&["ledger", "url"], flag("b")).unwrap();
        let Value::Map(entries) = &root.value else {
            panic!("the root stays a mapping")
        };
        let Value::Map(keys) = &entries[0].node.value else {
            panic!("ledger is a mapping")
        };
        assert_eq!(keys.len(), 1, "the key is not doubled");
        assert_eq!(keys[0].origin, Origin::Flag("--test"));
        assert!(matches!(&keys[0].node.value, Value::Scalar(text) if text == "b"));
    }

    #[test]
    fn an_index_may_not_leave_a_hole() {
        let refusal = Node::empty()
            .set(&["pools", "2", "name"], flag("chat"))
            .unwrap_err();
        assert!(refusal.contains("item 2"), "{refusal}");
    }
}
