//! The people and organizations that a crowd consists of, in a few variants.

use serde_json::{Value, json};

use super::template::{Template, stand_in};
use crate::world::{Adversity, Dice, Pen, public_user_data};

/// As many different people there are, apart from what is filled in.
pub(super) const VARIANTS: usize = 64;

/// One kind of person, whole and as a membership shows it.
pub(super) struct Person {
    pub(super) whole: Template,
    pub(super) as_member: Template,
}

/// People with two addresses, a telephone and an account elsewhere: about three kilobytes each.
pub(super) fn people(seed: u64) -> Vec<Person> {
    let mut dice = Dice::new(seed);
    let adversity = Adversity {
        unicode: 0.1,
        ..Adversity::default()
    };
    (0..VARIANTS)
        .map(|variant| {
            let mut pen = Pen::new(&mut dice, &adversity, stand_in::CREATED_AT);
            let user = person(&mut pen, variant);
            Person {
                whole: Template::of(&user),
                as_member: Template::of(&public_user_data(&user)),
            }
        })
        .collect()
}

fn person(pen: &mut Pen<'_>, variant: usize) -> Value {
    let mut user = pen.user();
    while user["email_addresses"]
        .as_array()
        .is_some_and(|list| list.len() < 2)
    {
        pen.add_email_address(&mut user);
    }
    if user["phone_numbers"].as_array().is_some_and(Vec::is_empty) {
        pen.add_phone_number(&mut user);
    }
    if user["external_accounts"].as_array().is_some_and(Vec::is_empty) {
        pen.add_external_account(&mut user);
    }
    user["username"] = json!(format!("somebody_{}", stand_in::SERIAL));
    user["external_id"] = json!(format!("ext-{}", stand_in::SERIAL));
    user["updated_at"] = json!(stand_in::UPDATED_AT);
    user["last_active_at"] = json!(stand_in::CREATED_AT);
    user["unsafe_metadata"] = json!({ "revision": stand_in::REVISION, "seen": variant });
    individualize(&mut user);
    user
}

/// Whatever is one person's alone becomes something to be filled in.
fn individualize(user: &mut Value) {
    let own = |kind: &str| json!(format!("{kind}{}", stand_in::ID));
    user["id"] = own("user_");
    user["image_url"] = own("https://img.clerk.com/");
    user["profile_image_url"] = user["image_url"].clone();
    let primary = user["primary_email_address_id"].clone();
    let mut addresses = user["email_addresses"].take();
    for (at, address) in addresses.as_array_mut().into_iter().flatten().enumerate() {
        let id = own(&format!("idn_{at}"));
        if address["id"] == primary {
            user["primary_email_address_id"] = id.clone();
        }
        address["id"] = id;
        address["email_address"] = json!(format!("somebody.{}.{at}@example.com", stand_in::SERIAL));
        address["created_at"] = json!(stand_in::CREATED_AT);
        address["updated_at"] = json!(stand_in::CREATED_AT);
    }
    user["email_addresses"] = addresses;
    user["primary_phone_number_id"] = own("idn_p");
    user["phone_numbers"][0]["id"] = own("idn_p");
    user["phone_numbers"][0]["phone_number"] = json!(format!("+1555{}", stand_in::SERIAL));
    let account = &mut user["external_accounts"][0];
    account["id"] = own("eac_");
    account["identification_id"] = own("idn_e");
    account["provider_user_id"] = json!(stand_in::SERIAL);
    account["email_address"] = json!(format!("somebody.{}.0@example.com", stand_in::SERIAL));
    account["image_url"] = own("https://img.clerk.com/");
}

/// An organization.
pub(super) fn organization() -> Template {
    Template::of(&json!({
        "object": "organization",
        "id": format!("org_{}", stand_in::ID),
        "name": format!("Organization {}", stand_in::SERIAL),
        "slug": format!("organization-{}", stand_in::SERIAL),
        "image_url": format!("https://img.clerk.com/{}", stand_in::ID),
        "has_image": false,
        "max_allowed_memberships": 5,
        "admin_delete_enabled": true,
        "public_metadata": { "plan": "team" },
        "private_metadata": {},
        "created_by": null,
        "created_at": stand_in::CREATED_AT,
        "updated_at": stand_in::UPDATED_AT,
    }))
}

/// A membership up to what is embedded in it, which is to be added before a closing brace.
pub(super) fn membership() -> Template {
    Template::of(&json!({
        "object": "organization_membership",
        "id": format!("orgmem_{}", stand_in::ID),
        "role": "org:member",
        "role_name": "member",
        "permissions": ["org:sys_memberships:read"],
        "public_metadata": {},
        "private_metadata": {},
        "created_at": stand_in::CREATED_AT,
        "updated_at": stand_in::UPDATED_AT,
    }))
}
