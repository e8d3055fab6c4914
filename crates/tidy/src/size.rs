//! How long files and lines may be.

use crate::source::{Finding, Source};

/// Longest file that people write: one idea, with its tests.
const LINES_MAX: usize = 400;

/// Shortest file of each language. Below it, an idea is cut into pieces that only make sense together.
/// TypeScript has a lower one: a component is a file, however small, because tools reload and test files.
const LINES_MIN: [(&str, usize); 5] = [("rs", 50), ("py", 50), ("ts", 10), ("tsx", 10), ("css", 10)];

/// Extensions whose files have a longest length.
const MEASURED: [&str; 6] = ["rs", "py", "ts", "tsx", "css", "sh"];

/// Files that may be short, by the end of their path, with the reason.
const SHORT: [(&str, &str); 10] = [
    ("/lib.rs", "a face; another rule holds that"),
    ("/main.rs", "parses, wires, runs"),
    ("/build.rs", "does what cargo cannot"),
    (
        "/clock.rs",
        "the one place that reads the clock does nothing else",
    ),
    (
        "/settings.rs",
        "plain values with their meaning; as many as there are",
    ),
    ("/buckets.rs", "a table of numbers with their reasons"),
    ("/error.rs", "one enum; as many variants as there are"),
    (".test.ts", "tests one short module"),
    (".d.ts", "declares what another tool makes"),
    (".config.ts", "another tool's settings"),
];

/// Files that may be long, with the reason.
const LONG: [(&str, &str); 1] = [("dashboard/src/api/schema.ts", "generated from openapi.json")];

/// Widest line of each language.
const COLUMNS_MAX: [(&str, usize); 11] = [
    ("rs", 110),
    ("ts", 120),
    ("tsx", 120),
    ("css", 120),
    ("py", 120),
    ("sh", 120),
    ("toml", 130),
    ("yaml", 130),
    ("yml", 130),
    ("sql", 130),
    ("md", 140),
];

/// Source files have 50 to 400 lines.
pub(crate) fn length(source: &Source) -> Vec<Finding> {
    let lines = source.text.lines().count();
    let extension = source.extension();
    let is_long = MEASURED.contains(&extension)
        && lines > LINES_MAX
        && !LONG.iter().any(|(path, _)| source.path == *path);
    if is_long {
        let message = format!("{lines} lines, at most {LINES_MAX}; split the file by noun");
        return vec![source.finding(LINES_MAX + 1, message)];
    }
    let least = LINES_MIN
        .iter()
        .find(|(name, _)| *name == extension)
        .map_or(0, |(_, least)| *least);
    let may_be_short = SHORT
        .iter()
        .any(|(end, _)| format!("/{}", source.path).ends_with(end))
        || source.is_in("tests")
        // One line each: which check a target calls.
        || source.is_in("fuzz_targets")
        || crate::rust::declares_modules(source);
    if lines < least && !may_be_short {
        let message = format!("{lines} lines, at least {least}; put the idea where it is used");
        return vec![source.finding(1, message)];
    }
    Vec::new()
}

/// Lines are as wide as a screen half. Tables, links and recorded texts cannot be broken.
pub(crate) fn columns(source: &Source) -> Vec<Finding> {
    let Some((_, widest)) = COLUMNS_MAX
        .iter()
        .find(|(extension, _)| *extension == source.extension())
    else {
        return Vec::new();
    };
    let is_recorded = ["vectors", "snapshots", "fixtures"]
        .iter()
        .any(|folder| source.is_in(folder));
    if is_recorded || LONG.iter().any(|(path, _)| source.path == *path) {
        return Vec::new();
    }
    source
        .lines()
        .filter(|(_, line)| line.chars().count() > *widest && !is_unbreakable(line, *widest))
        .map(|(number, line)| {
            let wide = line.chars().count();
            source.finding(
                number,
                format!("{wide} columns, at most {widest}; break the line"),
            )
        })
        .collect()
}

/// A table row, or a line that one word makes too wide.
fn is_unbreakable(line: &str, widest: usize) -> bool {
    let line = line.trim_start();
    let indent = 20;
    line.starts_with('|')
        || line
            .split_whitespace()
            .any(|word| word.chars().count() + indent > widest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, count: usize) -> Source {
        Source::new(path, "let x = 1;\n".repeat(count))
    }

    #[test]
    fn files_are_neither_scraps_nor_scrolls() {
        for (path, count, findings) in [
            ("proxy/src/a.rs", 49, 1),
            ("proxy/src/a.rs", 50, 0),
            ("proxy/src/a.rs", 400, 0),
            ("proxy/src/a.rs", 401, 1),
            ("proxy/src/clock.rs", 5, 0),
            ("proxy/tests/routes.rs", 5, 0),
            ("dashboard/src/api/schema.ts", 5000, 0),
            ("dashboard/src/ui/Tile.tsx", 9, 1),
            ("dashboard/src/lib/a.test.ts", 5, 0),
            ("docs/operations.md", 5000, 0),
        ] {
            assert_eq!(
                length(&lines(path, count)).len(),
                findings,
                "{path} with {count} lines"
            );
        }
    }

    #[test]
    fn a_face_may_be_short() {
        let text = "//! Face.\n\nmod a;\nmod b;\n\npub use a::{\n    One,\n    Two,\n};\n";
        assert!(length(&Source::new("proxy/src/replicas.rs", text)).is_empty());
    }

    #[test]
    fn wide_lines_are_found_by_line_and_language() {
        let wide = format!("short\n{}\n", "word ".repeat(23));
        let findings = columns(&Source::new("a/src/b.rs", wide.clone()));
        assert_eq!(findings.len(), 1);
        assert_eq!(
            findings[0].to_string(),
            "a/src/b.rs:2: 115 columns, at most 110; break the line"
        );
        assert!(
            columns(&Source::new("a/b.ts", wide.clone())).is_empty(),
            "TypeScript has 120"
        );
        assert!(
            columns(&Source::new("a/vectors/b.rs", wide)).is_empty(),
            "recorded text stays as it is"
        );
    }

    #[test]
    fn tables_and_links_are_not_broken() {
        let table = format!("| {} |\n", "cell ".repeat(40));
        let link = format!("See https://example.org/{}\n", "x".repeat(140));
        assert!(columns(&Source::new("README.md", table + &link)).is_empty());
    }
}
