//! What must not stand in any text of the project.

use crate::source::{Finding, Source};

/// Words of unfinished work. Each is put together here, so that this list does not find itself.
const LEFTOVERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
    concat!("HA", "CK"),
];

/// Beginnings of paths that exist on one machine only.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/t", "mp/"),
];

/// Work is finished or it is an issue; a word in a file is neither.
pub(crate) fn leftovers(source: &Source) -> Vec<Finding> {
    if is_foreign(source) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        for word in LEFTOVERS.iter().filter(|word| has_word(line, word)) {
            findings.push(source.finding(number, format!("`{word}` is left over; do it or file an issue")));
        }
    }
    findings
}

/// A path of somebody's machine works nowhere else and tells where it was written.
pub(crate) fn machine_paths(source: &Source) -> Vec<Finding> {
    if is_foreign(source) {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for (number, line) in source.lines() {
        for path in MACHINE_PATHS.iter().filter(|path| has_root(line, path)) {
            let message = format!("`{path}` is a path of one machine; make it relative or a setting");
            findings.push(source.finding(number, message));
        }
    }
    findings
}

/// Lock files, recorded traffic and licences are other people's words.
fn is_foreign(source: &Source) -> bool {
    matches!(
        source.name(),
        "Cargo.lock" | "package-lock.json" | "LICENSE" | ".gitignore" | ".dockerignore"
    ) || ["vectors", "fixtures"].iter().any(|folder| source.is_in(folder))
        || matches!(source.extension(), "lock" | "recv" | "raw" | "svg")
}

/// Whether `word` stands in the line with no letter, digit or underscore beside it.
fn has_word(line: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back().is_some_and(is_letter);
        let after = line[at + word.len()..].chars().next().is_some_and(is_letter);
        !before && !after
    })
}

/// Whether `path` stands in the line as the beginning of an absolute path: not inside a longer one, not in a
/// URL.
fn has_root(line: &str, path: &str) -> bool {
    let is_inside = |c: char| c.is_alphanumeric() || "._-~/}>)".contains(c);
    line.match_indices(path)
        .any(|(at, _)| !line[..at].chars().next_back().is_some_and(is_inside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_unfinished_work_are_found_alone_only() {
        let [first, _, third, _] = LEFTOVERS;
        let text =
            format!("// {first}: later\nlet {first}_LIST = 1;\nlet x = \"{third}{third}\";\n({third})\n");
        let lines: Vec<_> = leftovers(&Source::new("a.rs", text))
            .iter()
            .map(|found| found.line)
            .collect();
        assert_eq!(lines, [1, 4], "a longer word is another word");
    }

    #[test]
    fn paths_of_a_machine_are_found_and_longer_ones_are_not() {
        let [home, ..] = MACHINE_PATHS;
        let text = format!(
            "cd {home}me/project\nhttps://example.org{home}page\n\"{home}\"\n./docs{home}x\n${{ROOT}}{home}x\n"
        );
        let lines: Vec<_> = machine_paths(&Source::new("a.sh", text))
            .iter()
            .map(|found| found.line)
            .collect();
        assert_eq!(lines, [1, 3]);
    }

    #[test]
    fn other_peoples_words_are_left_alone() {
        let [word, ..] = LEFTOVERS;
        assert!(leftovers(&Source::new("Cargo.lock", word)).is_empty());
        assert!(leftovers(&Source::new("vectors/captures/a.json", word)).is_empty());
    }
}
