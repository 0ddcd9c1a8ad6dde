//! The arguments of `clerk.configure` that say what the mirror stores of an instance.

use clerk_core::mirror::{Policy, Resource, check_excludable};
use clerk_core::quote;

use super::instances::Instance;
use crate::error::Fault;

/// None leaves a setting alone.
#[derive(Debug, Default)]
pub struct MirrorArguments {
    pub mirror: Option<Vec<String>>,
    pub exclude_fields: Option<Vec<String>>,
    pub keep_private_metadata: Option<bool>,
    pub keep_event_attributes: Option<bool>,
    pub instance_id: Option<String>,
}

impl MirrorArguments {
    /// Whether less may be stored than before, of which rows and payloads may be full.
    pub fn may_store_less(&self) -> bool {
        self.exclude_fields.is_some()
            || [self.keep_private_metadata, self.keep_event_attributes].contains(&Some(false))
    }

    /// Changes the instance, or says why the arguments make no sense.
    pub fn apply(self, instance: &mut Instance) -> Result<(), Fault> {
        if let Some(names) = self.mirror {
            instance.mirror = tables(&chosen(&names)?);
        }
        if let Some(fields) = self.exclude_fields {
            check_fields(&fields)?;
            instance.exclude_fields = fields;
        }
        if let Some(id) = self.instance_id {
            check_instance_id(&id)?;
            instance.instance_id = Some(id).filter(|id| !id.is_empty());
        }
        instance.keep_private_metadata = self
            .keep_private_metadata
            .unwrap_or(instance.keep_private_metadata);
        instance.keep_event_attributes = self
            .keep_event_attributes
            .unwrap_or(instance.keep_event_attributes);
        Ok(())
    }
}

/// The names of the resources' tables.
pub fn tables(resources: &[Resource]) -> Vec<String> {
    resources
        .iter()
        .map(|resource| resource.table().to_owned())
        .collect()
}

/// The resources with these tables, each once and in their own order.
fn chosen(names: &[String]) -> Result<Vec<Resource>, Fault> {
    if let Some(unknown) = names.iter().find(|name| Resource::from_table(name).is_none()) {
        return Err(unknown_table(unknown));
    }
    let is_chosen = |resource: &Resource| names.iter().any(|name| name == resource.table());
    let chosen: Vec<Resource> = Resource::ALL.iter().copied().filter(is_chosen).collect();
    for resource in &chosen {
        if let Some(missing) = parents(*resource).iter().find(|parent| !chosen.contains(parent)) {
            return Err(Fault::argument(
                format!(
                    "{} cannot be mirrored without {}",
                    resource.table(),
                    missing.table()
                ),
                format!(
                    "Add '{}' to mirror, or leave '{}' out.",
                    missing.table(),
                    resource.table()
                ),
            ));
        }
    }
    Ok(chosen)
}

fn unknown_table(name: &str) -> Fault {
    Fault::argument(
        format!("there is no mirrored table {}", quote(name)),
        format!("The tables are {}.", tables(Resource::ALL).join(", ")),
    )
}

/// What the rows refer to: they are gone when that is deleted. Users everything needs: whose data is to be erased is found
/// among them.
fn parents(resource: Resource) -> &'static [Resource] {
    match resource {
        Resource::OrganizationMemberships | Resource::OrganizationInvitations => {
            &[Resource::Users, Resource::Organizations]
        }
        Resource::OrganizationDomains => &[Resource::Users, Resource::Organizations],
        Resource::SubscriptionItems => &[Resource::Users, Resource::Subscriptions],
        Resource::Users => &[],
        _ => &[Resource::Users],
    }
}

fn check_fields(fields: &[String]) -> Result<(), Fault> {
    for field in fields {
        let (resource, name) = match field.split_once('.') {
            None => (None, field.as_str()),
            Some((table, name)) => {
                let resource = Resource::from_table(table).ok_or_else(|| unknown_table(table))?;
                (Some(resource), name)
            }
        };
        if name.is_empty() || name.contains('.') {
            return Err(Fault::argument(
                format!("{} names no field", quote(field)),
                "Use field, for every table, or table.field; parts of fields cannot be left out.",
            ));
        }
        if let Err(hint) = check_excludable(resource, name) {
            let message = format!("Clerk's objects have no field {}", quote(field));
            return Err(Fault::argument(message, hint));
        }
    }
    match Policy::indispensable(fields) {
        None => Ok(()),
        Some(field) => Err(Fault::argument(
            format!(
                "field {} cannot be left out, because rows could not be right without it",
                quote(field)
            ),
            "Take it out of exclude_fields.",
        )),
    }
}

/// Empty: not known.
fn check_instance_id(id: &str) -> Result<(), Fault> {
    let is_id = |id: &str| {
        !id.is_empty()
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if id.is_empty() || id.strip_prefix("ins_").is_some_and(is_id) {
        return Ok(());
    }
    Err(Fault::argument(
        format!("{} is no id of a Clerk instance", quote(id)),
        "It looks like ins_…; the kid of the instance's keys and instance_id in its webhooks are the same. Leave it out to have \
         it learned from the keys.",
    ))
}
