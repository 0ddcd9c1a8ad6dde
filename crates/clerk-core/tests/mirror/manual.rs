//! The manual lists the members that Clerk may leave out, as the tables of members say.

use std::collections::BTreeSet;

use clerk_core::mirror::{Member, Presence, Resource};

const MANUAL: &str = include_str!("../../../../docs/mirror.md");
/// Never stored.
const DROPPED: &[&str] = &["payment_source", "payment_method", "latest_activity", "url"];
/// Absent means null.
const OF_SESSIONS: &[&str] = &["actor", "last_active_organization_id"];

fn may_be_absent(resource: Resource) -> BTreeSet<&'static str> {
    let members = resource.members();
    let always = |name: &str, source: fn(&Member) -> Presence| {
        let mut own = members
            .iter()
            .filter(|member| member.name == name && !member.member.contains('.'));
        own.any(|member| source(member) == Presence::Always)
    };
    let is_stored = |name: &&str| {
        let is_dropped =
            DROPPED.contains(name) || resource == Resource::Sessions && OF_SESSIONS.contains(name);
        !is_dropped && !name.contains('.')
    };
    let names = members.iter().map(|member| member.name).filter(is_stored);
    names
        .filter(|name| !(always(name, |member| member.webhook) && always(name, |member| member.api)))
        .collect()
}

#[test]
fn the_manual_lists_what_may_be_absent() {
    for &resource in Resource::ALL {
        let beginning = format!("| `{}` | `", resource.table());
        let line = MANUAL
            .lines()
            .skip_while(|line| !line.starts_with("### Members that may be absent"))
            .find_map(|line| line.strip_prefix(beginning.as_str()));
        let listed: BTreeSet<&str> = line
            .map_or("", |line| line.trim_end_matches("` |"))
            .split("`, `")
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(listed, may_be_absent(resource), "{}", resource.table());
    }
}
