//! The names that `exclude_fields` may have.

use super::redact::MESSAGE_FIELDS;
use super::resource::Resource;
use crate::nearest::nearest;

/// Checks that objects of `resource`, or of any resource, have a member of this name. What is left out by a wrong name would be
/// stored all the same.
///
/// # Errors
/// If not, with the next step.
pub fn check_excludable(resource: Option<Resource>, name: &str) -> Result<(), String> {
    let own = match resource {
        Some(resource) => names(resource),
        None => {
            let all = Resource::ALL.iter().flat_map(|resource| names(*resource));
            all.chain(MESSAGE_FIELDS.iter().copied()).collect()
        }
    };
    if own.contains(&name) {
        return Ok(());
    }
    let prefix = resource.map_or(String::new(), |resource| format!("{}.", resource.table()));
    if let Some(meant) = nearest(name, own) {
        return Err(format!("Did you mean '{prefix}{meant}'?"));
    }
    let others: Vec<String> = Resource::ALL
        .iter()
        .filter(|other| names(**other).contains(&name))
        .map(|other| format!("'{}.{name}'", other.table()))
        .collect();
    Err(match others.is_empty() {
        true => "Use the name of a member of Clerk's objects; docs/members.md lists them.".to_owned(),
        false => format!("Did you mean {}?", others.join(" or ")),
    })
}

/// The members of the resource's objects. Parts of members cannot be left out.
fn names(resource: Resource) -> Vec<&'static str> {
    let members = resource.members().iter().map(|member| member.member);
    members.filter(|member| !member.contains('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_members_of_clerks_objects_can_be_left_out() {
        for (resource, name) in [
            (None, "first_name"),
            (None, "phone_numbers"),
            (None, "email_address_id"),
            (Some(Resource::Users), "unsafe_metadata"),
            (Some(Resource::Sessions), "latest_activity"),
        ] {
            assert_eq!(check_excludable(resource, name), Ok(()), "{name}");
        }
        for (resource, name, hint) in [
            (None, "phone_number", "Did you mean 'phone_numbers'?"),
            (None, "firstName", "Did you mean 'first_name'?"),
            (
                Some(Resource::Users),
                "phone_number",
                "Did you mean 'users.phone_numbers'?",
            ),
            (
                Some(Resource::Organizations),
                "first_name",
                "Did you mean 'users.first_name'?",
            ),
            (
                None,
                "birthday",
                "Use the name of a member of Clerk's objects; docs/members.md lists them.",
            ),
            (None, "payer.id", "Did you mean 'payer_id'?"),
        ] {
            assert_eq!(check_excludable(resource, name), Err(hint.to_owned()), "{name}");
        }
    }
}
