//! What is wrong with a configuration: one line each, with the place, the key and the way out.

use std::fmt;

use super::node::Origin;

/// One complaint. Its text is one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    /// Where the value stands.
    pub(crate) origin: Origin,
    /// The path of the key, such as `proxy.max_body`; empty for the whole file.
    pub(crate) key: String,
    /// What is wrong and what to write instead.
    pub(crate) message: String,
}

/// All complaints about one configuration, at least one.
#[derive(Clone, Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.origin != Origin::Default {
            write!(f, "{}: ", self.origin)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.0.iter().enumerate() {
            if nth > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The known name that is closest to `word`, if one is close enough to be what was meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    // A third of the letters may differ: more would suggest names that have nothing to do with the word.
    let bound = (word.chars().count() / 3).max(1);
    known
        .iter()
        .copied()
        .filter(|name| distance(name) <= bound || (word.len() >= 4 && name.contains(word)))
        .min_by_key(|name| distance(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_or_nothing() {
        let known = ["listen", "ops_listen", "max_body", "threads"];
        for (word, expected) in [
            ("max_bdy", Some("max_body")),
            ("lisetn", Some("listen")),
            ("thread", Some("threads")),
            ("body", Some("max_body")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, &known), expected, "for `{word}`");
        }
    }

    #[test]
    fn a_complaint_is_one_line_with_place_and_key() {
        let problem = Problem {
            origin: Origin::File {
                path: "a.yaml".into(),
                line: 7,
            },
            key: "proxy.max_body".to_owned(),
            message: "no".to_owned(),
        };
        assert_eq!(problem.to_string(), "a.yaml:7: proxy.max_body: no");
    }
}
