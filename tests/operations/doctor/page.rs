//! The page about the doctor names exactly the checks that there are.

use std::collections::BTreeSet;

use super::project::{Project, findings};

const PAGE: &str = include_str!("../../../docs/doctor.md");

#[test]
fn the_page_lists_exactly_the_checks_that_exist() {
    let project = Project::start();
    let exist: BTreeSet<(String, String)> = findings(&mut project.owner(), true)
        .into_iter()
        .map(|finding| (finding.area, finding.check))
        .collect();
    // A section for each area, a row for each check.
    let (mut area, mut listed) = (String::new(), BTreeSet::new());
    for line in PAGE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            area = heading.to_owned();
        } else if let Some(row) = line.strip_prefix("| `").filter(|_| !area.is_empty()) {
            let (check, _) = row.split_once("` |").expect("a check in code, then a column");
            assert!(
                listed.insert((area.clone(), check.to_owned())),
                "{check} comes twice"
            );
        }
    }
    assert_eq!(listed, exist);
}
