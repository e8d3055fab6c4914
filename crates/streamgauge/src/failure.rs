//! Why the program ends early: each kind has its exit code, and every one is told in plain lines.

use std::fmt;
use std::io::Write;
use std::process::ExitCode;

use crate::config::Problems;

/// Why the program ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The configuration is wrong; exit code 2.
    Config(Problems),
    /// Something failed at run time; exit code 1.
    Runtime(anyhow::Error),
    /// A check was made and found something; exit code 3. The findings are printed already.
    Findings {
        /// How many.
        count: usize,
    },
    /// A child ended during the start and has said why; its exit code, or 1 when it died by a signal.
    Child {
        /// The child's name.
        name: &'static str,
        /// Its exit code.
        code: Option<i32>,
    },
}

// === impl Failure ===

impl Failure {
    /// Writes one line for each complaint to stderr. Never a backtrace: the lines say what to do.
    pub(crate) fn report(&self) -> ExitCode {
        let mut stderr = std::io::stderr().lock();
        for line in self.to_string().lines() {
            // Nothing is left to do when stderr is gone.
            let _ = writeln!(stderr, "error: {line}");
        }
        match self {
            Self::Config(_) | Self::Child { code: Some(2), .. } => ExitCode::from(2),
            Self::Findings { .. } => ExitCode::from(3),
            Self::Runtime(_) | Self::Child { .. } => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(problems) => problems.fmt(f),
            // One line even if a source's own text has several.
            Self::Runtime(error) => f.write_str(&format!("{error:#}").replace('\n', "; ")),
            Self::Findings { count } => write!(f, "the ledger is not sound: {count} findings"),
            Self::Child {
                name,
                code: Some(code),
            } => {
                write!(
                    f,
                    "{name} ended during the start with exit code {code}; its own lines above say why"
                )
            }
            Self::Child { name, code: None } => write!(f, "{name} was killed during the start"),
        }
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        Self::Config(problems)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Runtime(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_of_causes_is_one_line() {
        let error = anyhow::anyhow!("two\nlines").context("opening the ledger");
        assert_eq!(
            Failure::Runtime(error).to_string(),
            "opening the ledger: two; lines"
        );
    }
}
