//! Users (clerk.md, 4.3).

use crate::mirror::raw::{RawObject, string};
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{
    PRIVATE_METADATA, Resource, Shape, SideField, boolean, json, text, texts, time,
};
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
    ],
    side_fields: &[
        // Only on user.created and user.updated, never from the Backend API.
        SideField {
            name: "scim",
            private: false,
        },
        PRIVATE_METADATA,
    ],
    treatments: &[(
        "organization_memberships",
        Treatment::EmbeddedList(Resource::OrganizationMemberships, Some("user_id")),
    )],
    read,
};

fn read(user: &RawObject) -> Vec<Value> {
    let email = Primary::find(
        user,
        "email_addresses",
        "primary_email_address_id",
        "email_address",
    );
    let phone = Primary::find(user, "phone_numbers", "primary_phone_number_id", "phone_number");
    vec![
        Value::Text(email.id),
        Value::Text(email.text),
        Value::Boolean(email.verified),
        Value::Text(phone.id),
        Value::Text(phone.text),
        Value::Boolean(phone.verified),
        Value::Texts(email_addresses(user)),
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
    ]
}

/// The primary e-mail address or phone number. It is the one whose id the user names, not the first of the list, and there
/// may be none.
#[derive(Default)]
struct Primary {
    id: Option<String>,
    text: Option<String>,
    verified: Option<bool>,
}

impl Primary {
    fn find(user: &RawObject, list: &str, id: &str, text: &str) -> Self {
        let Some(id) = user.id(id) else {
            return Self::default();
        };
        let elements = user.list(list).unwrap_or_default();
        let element = elements
            .into_iter()
            .filter_map(RawObject::inside)
            .find(|element| element.id("id").as_ref() == Some(&id));
        let status = |element: &RawObject| {
            let verification = element.object("verification");
            verification.and_then(|verification| Some(verification.text("status")?.into_owned()))
        };
        Self {
            text: element
                .as_ref()
                .and_then(|element| Some(element.text(text)?.into_owned())),
            verified: element
                .as_ref()
                .map(|element| status(element).as_deref() == Some("verified")),
            id: Some(id),
        }
    }
}

/// Every address, for look-ups. The index could not take one much longer than any mail server does.
fn email_addresses(user: &RawObject) -> Option<Vec<String>> {
    let addresses = user.list("email_addresses")?.into_iter().filter_map(|element| {
        let element = RawObject::inside(element)?;
        let address = string(element.get("email_address")?)?;
        (address.len() <= 2 * MAX_ID_BYTES).then(|| address.into_owned())
    });
    Some(addresses.collect())
}
