//! Puts the layers together: the file, the environment over it, the flags over both.

use std::path::Path;
use std::sync::Arc;

use ::proxy::ReplicaSettings;

use super::decode::{Config, decode, decode_replicas};
use super::environment::Environment;
use super::node::{Node, Origin, Value};
use super::problem::{Problem, Problems};
use super::substitute::substitute;
use super::yaml::{self, Source};

/// What the command line says, in its own words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Flags {
    /// `--upstream`, each one a replica.
    pub(crate) upstream: Vec<String>,
    /// `--listen`.
    pub(crate) listen: Vec<String>,
    /// `--api-listen`.
    pub(crate) api_listen: Option<String>,
    /// `--ops-listen`.
    pub(crate) ops_listen: Option<String>,
    /// `--ledger`.
    pub(crate) ledger: Option<String>,
}

/// Reads the configuration of all layers.
///
/// # Errors
/// Every complaint, when there is one.
pub(crate) fn load(path: Option<&Path>, env: &Environment, flags: &Flags) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let mut root = match path {
        Some(path) => read(path)?,
        None => Node::empty(),
    };
    substitute(&mut root, "", env, &mut problems);
    env.apply(&mut root, &mut problems);
    flags.apply(&mut root, &mut problems);
    finish(&root, problems)
}

/// Reads a file that [`Config::to_yaml`] wrote with its secrets shown. It is complete: nothing is laid over
/// it and nothing in it is replaced.
///
/// # Errors
/// Every complaint, when there is one.
pub(crate) fn load_resolved(path: &Path) -> Result<Config, Problems> {
    finish(&read(path)?, Vec::new())
}

/// Reads the text of a file of replicas: a list as under `replicas`.
///
/// # Errors
/// Every complaint, when there is one.
pub(crate) fn replicas_in(path: &Path, text: &str) -> Result<Vec<ReplicaSettings>, Problems> {
    let source = Source::File(path.to_string_lossy().into());
    let mut root = yaml::parse(text, &source).map_err(|problem| Problems(vec![problem]))?;
    if matches!(&root.value, Value::Map(entries) if entries.is_empty()) {
        root.value = Value::List(Vec::new());
    }
    let mut problems = Vec::new();
    let replicas = decode_replicas(&root, "", &mut problems);
    if problems.is_empty() {
        Ok(replicas)
    } else {
        Err(Problems(problems))
    }
}

fn finish(root: &Node, mut problems: Vec<Problem>) -> Result<Config, Problems> {
    let config = decode(root, &mut problems);
    if problems.is_empty() {
        Ok(config)
    } else {
        Err(Problems(problems))
    }
}

fn read(path: &Path) -> Result<Node, Problems> {
    let name: Arc<str> = path.to_string_lossy().into();
    let text = std::fs::read_to_string(path).map_err(|error| {
        let message = format!("cannot read the configuration file `{name}`: {error}");
        Problems(vec![Problem {
            origin: Origin::Flag("--config"),
            key: String::new(),
            message,
        }])
    })?;
    yaml::parse(&text, &Source::File(name)).map_err(|problem| Problems(vec![problem]))
}

// === impl Flags ===

impl Flags {
    fn apply(&self, root: &mut Node, problems: &mut Vec<Problem>) {
        let mut put = |flag: &'static str, path: &[&str], node: Node| {
            if let Err(message) = root.set(path, node) {
                problems.push(Problem {
                    origin: Origin::Flag(flag),
                    key: path.join("."),
                    message,
                });
            }
        };
        let lists = [
            ("--upstream", &["pools", "0", "replicas"][..], &self.upstream),
            ("--listen", &["proxy", "listen"][..], &self.listen),
        ];
        for (flag, path, texts) in lists {
            if !texts.is_empty() {
                put(flag, path, Node::list(texts.iter().cloned(), Origin::Flag(flag)));
            }
        }
        let scalars = [
            ("--api-listen", &["metrics_api", "listen"][..], &self.api_listen),
            ("--ops-listen", &["proxy", "ops_listen"][..], &self.ops_listen),
            ("--ledger", &["ledger", "url"][..], &self.ledger),
        ];
        for (flag, path, text) in scalars {
            if let Some(text) = text {
                put(flag, path, Node::scalar(text.clone(), Origin::Flag(flag)));
            }
        }
    }
}
