//! The members of Clerk's objects: which source carries each, what it is called here, and which column it feeds.
//!
//! The files in `crates/clerk-core/members` are written from Clerk's specifications of webhooks (2025-04-15) and of the
//! Backend API (2026-05-12). Code, simulator and manual read the same files.

use std::sync::OnceLock;

use super::resource::Resource;

/// Whether the objects of a source have a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always, also as null.
    Always,
    /// Not in every object.
    Sometimes,
    /// Never.
    Never,
}

/// A member of a resource's objects, or with a path such as `payer.id` a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What Clerk calls it.
    pub member: &'static str,
    /// Whether webhooks carry it.
    pub webhook: Presence,
    /// Whether the Backend API shows it.
    pub api: Presence,
    /// The one name of what it means. Members with the same name say the same.
    pub name: &'static str,
    /// The columns that are worked out from it.
    pub columns: Vec<&'static str>,
}

impl Resource {
    /// The members of its objects, as Clerk's specifications list them. Objects may have others, which are stored as well.
    pub fn members(self) -> &'static [Member] {
        static TABLES: [OnceLock<Vec<Member>>; Resource::ALL.len()] =
            [const { OnceLock::new() }; Resource::ALL.len()];
        TABLES[self as usize].get_or_init(|| file(self).lines().skip(1).filter_map(member).collect())
    }
}

impl Resource {
    /// Members that have another name here, parts included: what Clerk calls them, and their one name.
    pub(super) fn other_names(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let members = self.members().iter();
        members
            .filter(|member| member.member != member.name)
            .map(|member| (member.member, member.name))
    }
}

fn file(resource: Resource) -> &'static str {
    match resource {
        Resource::Users => include_str!("../../members/users.tsv"),
        Resource::Organizations => include_str!("../../members/organizations.tsv"),
        Resource::OrganizationMemberships => include_str!("../../members/organization_memberships.tsv"),
        Resource::OrganizationInvitations => include_str!("../../members/organization_invitations.tsv"),
        Resource::OrganizationDomains => include_str!("../../members/organization_domains.tsv"),
        Resource::Invitations => include_str!("../../members/invitations.tsv"),
        Resource::Roles => include_str!("../../members/roles.tsv"),
        Resource::Permissions => include_str!("../../members/permissions.tsv"),
        Resource::Sessions => include_str!("../../members/sessions.tsv"),
        Resource::WaitlistEntries => include_str!("../../members/waitlist_entries.tsv"),
        Resource::Subscriptions => include_str!("../../members/subscriptions.tsv"),
        Resource::SubscriptionItems => include_str!("../../members/subscription_items.tsv"),
        Resource::PaymentAttempts => include_str!("../../members/payment_attempts.tsv"),
    }
}

/// The member on a line of such a file; None if the line has another form, which a test rules out.
fn member(line: &'static str) -> Option<Member> {
    let mut fields = line.split('\t');
    let member = Member {
        member: fields.next()?,
        webhook: presence(fields.next()?)?,
        api: presence(fields.next()?)?,
        name: fields.next()?,
        columns: fields
            .next()?
            .split(' ')
            .filter(|column| !column.is_empty())
            .collect(),
    };
    fields.next().is_none().then_some(member)
}

fn presence(word: &str) -> Option<Presence> {
    match word {
        "yes" => Some(Presence::Always),
        "optional" => Some(Presence::Sometimes),
        "no" => Some(Presence::Never),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    const COMMON: &[&str] = &["id", "created_at", "updated_at"];

    #[test]
    fn every_line_is_a_member_that_some_source_carries() {
        for &resource in Resource::ALL {
            let mut lines = file(resource).lines();
            assert_eq!(lines.next(), Some("member\twebhook\tapi\tname\tcolumn"));
            let mut names = BTreeSet::new();
            for line in lines {
                let member = member(line).unwrap_or_else(|| panic!("{}: {line}", resource.table()));
                assert!(names.insert(member.member), "{}: {line}", resource.table());
                assert!(
                    [member.webhook, member.api] != [Presence::Never; 2],
                    "{}: {line}",
                    resource.table()
                );
            }
        }
    }

    #[test]
    fn every_typed_column_is_fed_by_a_member_and_nothing_else_is() {
        for &resource in Resource::ALL {
            let typed = resource.columns().iter().map(|column| column.name);
            let columns: BTreeSet<&str> = typed.chain(COMMON.iter().copied()).collect();
            let members = resource.members().iter();
            let fed: BTreeSet<&str> = members
                .flat_map(|member| member.columns.iter().copied())
                .collect();
            assert_eq!(fed, columns, "{}", resource.table());
        }
    }

    #[test]
    fn members_of_one_name_feed_the_same_columns_and_a_part_has_its_whole() {
        for &resource in Resource::ALL {
            let mut fed: BTreeMap<&str, &[&str]> = BTreeMap::new();
            for member in resource.members() {
                let columns = fed.entry(member.name).or_insert(&member.columns);
                assert_eq!(*columns, member.columns, "{}: {member:?}", resource.table());
                let whole = member.member.split('.').next();
                let has_whole = resource.members().iter().any(|other| Some(other.member) == whole);
                assert!(has_whole, "{}: {member:?}", resource.table());
            }
        }
    }

    #[test]
    fn the_members_whose_names_differ_from_clerks_are_these() {
        let renamed: Vec<(&str, &str, &str)> = Resource::ALL
            .iter()
            .flat_map(|resource| resource.members().iter().map(|member| (resource.table(), member)))
            .filter(|(_, member)| member.member != member.name)
            .map(|(table, member)| (table, member.member, member.name))
            .collect();
        assert_eq!(
            renamed,
            [
                ("subscriptions", "payer.id", "payer_id"),
                ("subscriptions", "subscription_items", "items"),
                ("subscription_items", "payer.id", "payer_id"),
                ("subscription_items", "plan_period", "interval"),
                ("payment_attempts", "payer.id", "payer_id"),
                ("payment_attempts", "totals.grand_total", "amount"),
            ]
        );
    }
}
