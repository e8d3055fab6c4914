//! Configuration from environment variables: `STREAMGAUGE_<SECTION>__<KEY>`, and the names of the Python
//! proxy that came before.

use std::collections::BTreeMap;

use super::node::{Node, Origin, Value};
use super::problem::Problem;
use super::yaml::{self, Source};

/// Two underscores stand between the parts of a path, because keys have single ones.
const PREFIX: &str = "STREAMGAUGE_";
const SEPARATOR: &str = "__";

/// The environment as a value: read once, passed on, chosen freely by tests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

// === impl Environment ===

impl Environment {
    /// The environment of this process. Variables that are not UTF-8 cannot be ours and are left out.
    pub(crate) fn of_process() -> Self {
        let text = |os: std::ffi::OsString| os.into_string().ok();
        Self(
            std::env::vars_os()
                .filter_map(|(name, value)| Some((text(name)?, text(value)?)))
                .collect(),
        )
    }

    /// An environment of these variables only.
    #[cfg(test)]
    pub(crate) fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Self(variables.into_iter().map(owned).collect())
    }

    /// The value of one variable.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of one variable, with an empty one taken as not set: Compose files pass those on.
    fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// Lays the variables over the tree: the old names first, then `STREAMGAUGE_*`, which win.
    pub(crate) fn apply(&self, root: &mut Node, problems: &mut Vec<Problem>) {
        self.apply_old_names(root, problems);
        for (name, value) in &self.0 {
            let Some(path) = name.strip_prefix(PREFIX).filter(|path| path.contains(SEPARATOR)) else {
                continue;
            };
            let value = value.trim();
            if value.is_empty() {
                continue;
            }
            let path = path.to_ascii_lowercase();
            let steps: Vec<&str> = path.split(SEPARATOR).collect();
            match flow(value, &Origin::Variable(name.clone())) {
                Ok(node) => put(root, &steps, node, problems),
                Err(problem) => problems.push(problem),
            }
        }
    }

    fn apply_old_names(&self, root: &mut Node, problems: &mut Vec<Problem>) {
        let mut set = |name: &str, path: &[&str], text: String| {
            put(
                root,
                path,
                Node::scalar(text, Origin::Variable(name.to_owned())),
                problems,
            );
        };
        match (self.filled("BACKEND_HOST"), self.filled("BACKEND_PORT")) {
            (Some(host), port) => {
                let host = host.trim_end_matches('/');
                let scheme = if host.contains("://") { "" } else { "http://" };
                let url = format!("{scheme}{host}:{}", port.unwrap_or("8000"));
                set("BACKEND_HOST", &["pools", "0", "replicas"], url);
            }
            (None, Some(port)) => {
                set(
                    "BACKEND_PORT",
                    &["pools", "0", "replicas"],
                    format!("http://127.0.0.1:{port}"),
                );
            }
            (None, None) => {}
        }
        if let Some(port) = self.filled("PROXY_PORT") {
            set("PROXY_PORT", &["proxy", "listen"], format!("0.0.0.0:{port}"));
        }
        if let Some(port) = self.filled("METRICS_PORT") {
            set(
                "METRICS_PORT",
                &["metrics_api", "listen"],
                format!("127.0.0.1:{port}"),
            );
        }
        if let Some(path) = self.filled("DB_PATH") {
            let scheme = if path.contains("://") { "" } else { "sqlite://" };
            set("DB_PATH", &["ledger", "url"], format!("{scheme}{path}"));
        }
    }
}

fn put(root: &mut Node, path: &[&str], node: Node, problems: &mut Vec<Problem>) {
    let origin = node.origin.clone();
    if let Err(message) = root.set(path, node) {
        problems.push(Problem {
            origin,
            key: path.join("."),
            message,
        });
    }
}

/// A list or mapping in YAML's flow form, else one scalar as it stands.
fn flow(text: &str, origin: &Origin) -> Result<Node, Problem> {
    if text.starts_with(['[', '{']) {
        let node = yaml::parse(text, &Source::Fixed(origin.clone()))?;
        if !matches!(node.value, Value::Null) {
            return Ok(node);
        }
    }
    Ok(Node::scalar(text, origin.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::reader::lookup;
    use super::*;

    fn applied<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Node, Vec<Problem>) {
        let (mut root, mut problems) = (Node::empty(), Vec::new());
        Environment::of(variables).apply(&mut root, &mut problems);
        (root, problems)
    }

    fn text<'a>(root: &'a Node, path: &[&str]) -> Option<&'a str> {
        match &lookup(root, path)?.value {
            Value::Scalar(text) => Some(text),
            _ => None,
        }
    }

    #[test]
    fn two_underscores_part_the_path() {
        let (root, problems) = applied([
            ("STREAMGAUGE_PROXY__MAX_BODY", "64MiB"),
            ("STREAMGAUGE_POOLS__0__TIMEOUTS__CONNECT", "1s"),
            ("STREAMGAUGE_TOKEN", "not a path"),
            ("STREAMGAUGE_LEDGER__URL", ""),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(text(&root, &["proxy", "max_body"]), Some("64MiB"));
        assert_eq!(text(&root, &["pools", "0", "timeouts", "connect"]), Some("1s"));
        assert!(
            lookup(&root, &["ledger", "url"]).is_none(),
            "an empty variable says nothing"
        );
    }

    #[test]
    fn the_old_names_still_work_and_yield_to_the_new_ones() {
        let (root, problems) = applied([
            ("BACKEND_HOST", "gpu1"),
            ("BACKEND_PORT", "9000"),
            ("PROXY_PORT", "81"),
            ("METRICS_PORT", "82"),
            ("DB_PATH", "metrics.db"),
            ("STREAMGAUGE_LEDGER__URL", "sqlite://new.db"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        assert_eq!(text(&root, &["pools", "0", "replicas"]), Some("http://gpu1:9000"));
        assert_eq!(text(&root, &["proxy", "listen"]), Some("0.0.0.0:81"));
        assert_eq!(text(&root, &["metrics_api", "listen"]), Some("127.0.0.1:82"));
        assert_eq!(text(&root, &["ledger", "url"]), Some("sqlite://new.db"));
    }

    #[test]
    fn a_list_may_be_written_in_flow_form() {
        let (root, _) = applied([("STREAMGAUGE_PROXY__LISTEN", "['127.0.0.1:1', '127.0.0.1:2']")]);
        let listen = lookup(&root, &["proxy", "listen"]).unwrap();
        assert!(
            matches!(&listen.value, Value::List(items) if items.len() == 2),
            "{listen:?}"
        );
    }
}
