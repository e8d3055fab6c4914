//! Rules for Rust files.

use crate::source::{Finding, Source};

/// Longest function, from its `fn` to its closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Every module opens with `//!`: what lives here, what does not, and who calls it.
pub(crate) fn docs(source: &Source) -> Vec<Finding> {
    if source.extension() != "rs" {
        return Vec::new();
    }
    let first = source
        .lines()
        .find(|(_, line)| !line.trim().is_empty() && !line.starts_with("#!["));
    match first {
        Some((_, line)) if line.starts_with("//! ") => Vec::new(),
        Some((number, _)) => vec![source.finding(number, "no `//!`; open the module with what lives here")],
        None => vec![source.finding(1, "the file is empty; remove it")],
    }
}

/// A folder `x/` has its face in `x.rs`: a dozen tabs named alike help nobody.
pub(crate) fn mod_files(source: &Source) -> Vec<Finding> {
    let is_mod = source.name() == concat!("mod", ".rs");
    let message = "a folder's face stands beside it; name the file like the folder";
    is_mod.then(|| source.finding(1, message)).into_iter().collect()
}

/// A library's root says what there is; the rest has a name of its own.
pub(crate) fn faces(source: &Source) -> Vec<Finding> {
    if source.name() != "lib.rs" || source.is_in("tidy") || is_face(source) {
        return Vec::new();
    }
    let line = first_beyond_a_face(source).unwrap_or(1);
    vec![source.finding(
        line,
        "lib.rs holds docs, `mod` and `pub use` only; give this a module",
    )]
}

/// A function fits on a screen: branches in the parent, work in the leaves.
pub(crate) fn functions(source: &Source) -> Vec<Finding> {
    if source.extension() != "rs" {
        return Vec::new();
    }
    let lines: Vec<(usize, &str)> = source.lines().collect();
    let mut findings = Vec::new();
    for (nth, (number, line)) in lines.iter().enumerate() {
        let Some(name) = function_name(line) else { continue };
        // rustfmt puts the closing brace of an item into the column in which the item begins.
        let indent = line.len() - line.trim_start().len();
        let closing = format!("{}}}", " ".repeat(indent));
        let end = lines[nth..].iter().position(|(_, line)| *line == closing);
        let has_body = lines[nth..]
            .iter()
            .take(20)
            .find_map(|(_, line)| match line.trim_end() {
                line if line.ends_with('{') => Some(true),
                line if line.ends_with(';') || line.ends_with('}') => Some(false),
                _ => None,
            });
        let length = end.filter(|_| has_body == Some(true)).map_or(1, |end| end + 1);
        if length > FUNCTION_LINES_MAX {
            let message = format!(
                "`{name}` has {length} lines, at most {FUNCTION_LINES_MAX}; \
                 keep the branches, move the work out"
            );
            findings.push(source.finding(*number, message));
        }
    }
    findings
}

/// A test that nobody runs proves nothing.
pub(crate) fn ignored_tests(source: &Source) -> Vec<Finding> {
    if source.extension() != "rs" {
        return Vec::new();
    }
    let ignore = concat!("#[ig", "nore");
    let ignored = source
        .lines()
        .filter(|(_, line)| line.trim_start().starts_with(ignore));
    ignored
        .map(|(number, _)| source.finding(number, "an ignored test; fix it or delete it"))
        .collect()
}

/// Whether a Rust file holds only docs, attributes, `mod`, `use` and names for types.
pub(crate) fn is_face(source: &Source) -> bool {
    source.extension() == "rs" && first_beyond_a_face(source).is_none()
}

/// Whether a Rust file is a face in the wider sense: it names the modules below it, and may hold a little for
/// them all.
pub(crate) fn declares_modules(source: &Source) -> bool {
    let is_module = |line: &str| line.starts_with("mod ") || line.starts_with("pub mod ");
    source.extension() == "rs"
        && source
            .lines()
            .any(|(_, line)| is_module(line) && line.ends_with(';'))
}

fn first_beyond_a_face(source: &Source) -> Option<usize> {
    let mut is_inside_use = false;
    for (number, line) in source.lines() {
        let code = line.trim();
        if is_inside_use {
            is_inside_use = !code.ends_with(';');
            continue;
        }
        let item = code
            .strip_prefix("pub(crate) ")
            .or_else(|| code.strip_prefix("pub(super) "));
        let item = item.or_else(|| code.strip_prefix("pub ")).unwrap_or(code);
        let is_silent = code.is_empty() || code.starts_with("//") || code.starts_with('#');
        if item.starts_with("use ") {
            is_inside_use = !code.ends_with(';');
        } else {
            let is_declared =
                ["mod ", "type "].iter().any(|word| item.starts_with(word)) && item.ends_with(';');
            if !(is_silent || is_declared) {
                return Some(number);
            }
        }
    }
    None
}

/// The name of the function that begins in this line.
fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    for word in [
        "pub ",
        "pub(crate) ",
        "pub(super) ",
        "default ",
        "const ",
        "async ",
        "unsafe ",
        "extern \"C\" ",
    ] {
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    name.split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: &str) -> Source {
        Source::new("a/src/b.rs", text)
    }

    #[test]
    fn a_module_opens_with_its_docs() {
        assert!(docs(&rust("//! What lives here.\n")).is_empty());
        assert!(docs(&rust("#![cfg(unix)]\n\n//! What lives here.\n")).is_empty());
        for text in [
            "use std::fmt;\n",
            "// Not docs.\n",
            "/// Docs of an item.\nfn a() {}\n",
            "",
        ] {
            assert_eq!(docs(&rust(text)).len(), 1, "{text:?}");
        }
        assert!(
            docs(&Source::new("a.py", "import os\n")).is_empty(),
            "only Rust has this rule"
        );
    }

    #[test]
    fn a_root_is_a_face_and_a_face_holds_no_code() {
        let face = "//! Docs.\n\n#[cfg(test)]\nmod tests;\nmod a;\n\n\
                    pub(crate) use a::{\n    One,\n};\npub use a::*;\n";
        assert!(is_face(&rust(face)));
        assert!(!is_face(&rust(&format!("{face}\nfn code() {{}}\n"))));
        assert!(
            !is_face(&rust("//! Docs.\nmod inline {\n}\n")),
            "a module with a body is code"
        );
        let root = Source::new("a/src/lib.rs", "//! Docs.\npub struct A;\n");
        assert_eq!(faces(&root)[0].line, 2);
        assert!(
            faces(&rust("pub struct A;\n")).is_empty(),
            "only roots must be faces"
        );
    }

    #[test]
    fn a_long_function_is_found_by_its_name() {
        let body = "        let x = 1;\n".repeat(69);
        let text = format!(
            "impl A {{\n    pub(crate) async fn long(&self) {{\n{body}    }}\n\n    fn next(&self) {{}}\n}}\n"
        );
        let findings = functions(&rust(&text));
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0].message.starts_with("`long` has 71 lines"),
            "{findings:?}"
        );
        let shorter = text.replacen("        let x = 1;\n", "", 1);
        assert!(functions(&rust(&shorter)).is_empty(), "70 lines are allowed");
    }

    #[test]
    fn a_declaration_has_no_length() {
        let filler = "    fn b(&self) {\n    }\n".repeat(40);
        let text = format!("trait A {{\n    fn a(&self) -> u8;\n{filler}}}\n");
        assert!(
            functions(&rust(&text)).is_empty(),
            "the brace behind belongs to another function"
        );
    }

    #[test]
    fn ignored_tests_and_files_named_mod_are_found() {
        let text = format!("#[test]\n{}]\nfn a() {{}}\n", concat!("#[ig", "nore"));
        assert_eq!(ignored_tests(&rust(&text))[0].line, 2);
        assert_eq!(
            mod_files(&Source::new(concat!("a/src/b/mod", ".rs"), "")).len(),
            1
        );
        assert!(mod_files(&rust("")).is_empty());
    }
}
