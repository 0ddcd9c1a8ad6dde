//! Users (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::{Embedded, Inherited, Treatment};
use crate::mirror::resource::{Resource, Shape, boolean, json, text, texts, time};
use crate::mirror::value::{MAX_ID_BYTES, Value};

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "users",
    event_prefix: "user",
    columns: &[
        text("primary_email_address_id"),
        text("primary_email_address"),
        boolean("primary_email_verified"),
        text("primary_phone_number_id"),
        text("primary_phone_number"),
        boolean("primary_phone_verified"),
        texts("email_addresses"),
        text("username"),
        text("first_name"),
        text("last_name"),
        text("image_url"),
        text("external_id"),
        boolean("banned"),
        boolean("locked"),
        json("public_metadata"),
        time("last_sign_in_at"),
        time("last_active_at"),
        json("scim"),
        json("private_metadata"),
    ],
    treatments: &[
        ("phone_numbers", Treatment::ListWithout(&["backup_codes"])),
        (
            "organization_memberships",
            Treatment::EmbeddedList(Embedded {
                resource: Resource::OrganizationMemberships,
                inherited: &[Inherited {
                    name: "user_id",
                    from: "id",
                    unless: "public_user_data",
                }],
                needed: Some("organization"),
            }),
        ),
    ],
    read,
};

fn read(user: &RawObject) -> Vec<Value> {
    let addresses = objects(user, "email_addresses");
    let numbers = objects(user, "phone_numbers");
    let email = Primary::find(
        addresses.as_deref(),
        user.id("primary_email_address_id"),
        "email_address",
    );
    let phone = Primary::find(
        numbers.as_deref(),
        user.id("primary_phone_number_id"),
        "phone_number",
    );
    vec![
        Value::Text(email.id),
        Value::Text(email.text),
        Value::Boolean(email.verified),
        Value::Text(phone.id),
        Value::Text(phone.text),
        Value::Boolean(phone.verified),
        Value::Texts(addresses.map(email_addresses)),
        user.text_value("username"),
        user.text_value("first_name"),
        user.text_value("last_name"),
        user.text_value("image_url"),
        user.text_value("external_id"),
        user.boolean_value("banned"),
        user.boolean_value("locked"),
        user.json_value("public_metadata"),
        user.time_value("last_sign_in_at"),
        user.time_value("last_active_at"),
        user.json_value("scim"),
        user.json_value("private_metadata"),
    ]
}

/// The objects in a list.
fn objects<'a>(user: &RawObject<'a>, list: &str) -> Option<Vec<RawObject<'a>>> {
    let elements = user.list(list)?;
    Some(elements.into_iter().filter_map(RawObject::inside).collect())
}

/// The primary e-mail address or phone number. It is the one whose id the user names, not the first of the list, and there
/// may be none.
struct Primary {
    id: Option<String>,
    text: Option<String>,
    verified: Option<bool>,
}

impl Primary {
    fn find(list: Option<&[RawObject]>, id: Option<String>, text: &str) -> Self {
        let mut list = list.unwrap_or_default().iter();
        let element = list.find(|element| id.is_some() && element.id("id") == id);
        let is_verified = |element: &RawObject| {
            let verification = element.object("verification").unwrap_or_default();
            verification
                .text("status")
                .is_some_and(|status| status == "verified")
        };
        Self {
            text: element.and_then(|element| Some(element.text(text)?.into_owned())),
            verified: element.map(is_verified),
            id,
        }
    }
}

/// Every address, for look-ups. The index could not take one much longer than any mail server does.
fn email_addresses(list: Vec<RawObject>) -> Vec<String> {
    let addresses = list
        .iter()
        .filter_map(|element| Some(element.text("email_address")?.into_owned()));
    addresses
        .filter(|address| address.len() <= 2 * MAX_ID_BYTES)
        .collect()
}
