//! What an administrator lets the mirror store.

use super::resource::Resource;

/// What Clerk never shows to a browser.
const PRIVATE_METADATA: &str = "private_metadata";

/// What is stored of an instance's events and objects: `clerk.configure(mirror, exclude_fields, …)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Resources that have rows; events about others are kept in the ledger only.
    pub mirror: Vec<Resource>,
    /// Members that are never stored: `field` of every resource, or `table.field` of one.
    pub exclude_fields: Vec<String>,
    /// Whether `private_metadata` is stored.
    pub keep_private_metadata: bool,
    /// Whether the ledger keeps `event_attributes`: the client's IP address and user agent.
    pub keep_event_attributes: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            mirror: Resource::ON_BY_DEFAULT.to_vec(),
            exclude_fields: Vec::new(),
            keep_private_metadata: false,
            keep_event_attributes: false,
        }
    }
}

impl Policy {
    /// Whether the resource has rows.
    pub fn mirrors(&self, resource: Resource) -> bool {
        self.mirror.contains(&resource)
    }

    /// Whether the member of a resource is not stored, under whichever of its names it is excluded.
    pub(super) fn omits(&self, resource: Resource, name: &str) -> bool {
        let has_column = || {
            resource
                .columns()
                .iter()
                .any(|column| column.name == PRIVATE_METADATA)
        };
        let is_private = name == PRIVATE_METADATA && !(self.keep_private_metadata && has_column());
        let excludes = |name: &str| self.excludes(Some(resource), name);
        let others = || resource.other_names();
        is_private
            || excludes(name)
            || (!self.exclude_fields.is_empty()
                && others()
                    .any(|(from, to)| (to == name && excludes(from)) || (from == name && excludes(to))))
    }

    pub(crate) fn excludes(&self, resource: Option<Resource>, field: &str) -> bool {
        self.exclude_fields
            .iter()
            .any(|excluded| match excluded.split_once('.') {
                None => excluded == field,
                Some((table, own)) => {
                    own == field && resource.is_some_and(|resource| resource.table() == table)
                }
            })
    }

    /// The first of the excluded fields without which rows could not be right, if any: ids, versions and states.
    pub fn indispensable(exclude_fields: &[String]) -> Option<&str> {
        const INDISPENSABLE: &[&str] = &[
            "id",
            "object",
            "created_at",
            "updated_at",
            "status",
            "deleted",
            "user_id",
            "organization_id",
            "organization",
            "public_user_data",
            "subscription_id",
            "payer",
            "key",
        ];
        let field = |excluded: &'_ String| excluded.rsplit('.').next().unwrap_or_default().to_owned();
        exclude_fields
            .iter()
            .find(|excluded| INDISPENSABLE.contains(&field(excluded).as_str()))
            .map(String::as_str)
    }
}
