//! The manual lists the members of Clerk's objects as the code knows them.

use std::fmt::Write;

use clerk_core::mirror::{Presence, Resource};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/members.md");

const HEAD: &str = "\
# Members of Clerk's objects

Which members webhooks and the Backend API carry, by Clerk's specifications (webhooks 2025-04-15, API 2026-05-12), and which column each
feeds. An object says nothing about a member that it does not carry: what another one said of it stays. *optional* is what not every
object of that source carries; such a member keeps its last value when Clerk stops sending it. Where *means* is filled in, two names mean
one thing and are kept as one. A name with a dot is a part of a member.

This page is written from `crates/clerk-core/members/*.tsv` by `WRITE_MANUAL=1 cargo test -p clerk-core --test mirror members`.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for resource in Resource::ALL {
        write!(
            page,
            "\n## {}\n\n| member | webhook | API | means | column |\n|---|---|---|---|---|\n",
            resource.table()
        )
        .expect("writing to a String cannot fail");
        for member in resource.members() {
            let code = |name: &str| format!("`{name}`");
            let means = Some(member.name).filter(|name| *name != member.member);
            let columns: Vec<String> = member.columns.iter().map(|column| code(column)).collect();
            let cells = [
                code(member.member),
                word(member.webhook).to_owned(),
                word(member.api).to_owned(),
                means.map(code).unwrap_or_default(),
                columns.join(", "),
            ];
            writeln!(page, "| {} |", cells.join(" | ")).expect("writing to a String cannot fail");
        }
    }
    page
}

fn word(presence: Presence) -> &'static str {
    match presence {
        Presence::Always => "yes",
        Presence::Sometimes => "optional",
        Presence::Never => "",
    }
}

#[test]
fn the_manual_lists_the_members() {
    let page = page();
    if std::env::var_os("WRITE_MANUAL").is_some() {
        std::fs::write(PAGE, &page).expect("the page can be written");
    }
    let written = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        written == page,
        "docs/members.md is not what the tables say: WRITE_MANUAL=1 writes it anew"
    );
}
