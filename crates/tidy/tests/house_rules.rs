//! Runs every rule over every file of the project.

use tidy::{RULES, list, root};

#[test]
fn every_file_keeps_the_house_rules() {
    let sources = list(&root()).expect("git lists the project's files");
    assert!(
        sources.len() > 50,
        "only {} files were listed; is this the project?",
        sources.len()
    );
    let mut findings: Vec<String> = Vec::new();
    for source in &sources {
        findings.extend(
            RULES
                .iter()
                .flat_map(|rule| rule(source))
                .map(|finding| finding.to_string()),
        );
    }
    findings.sort();
    assert!(
        findings.is_empty(),
        "{} findings:\n{}\n",
        findings.len(),
        findings.join("\n")
    );
}
