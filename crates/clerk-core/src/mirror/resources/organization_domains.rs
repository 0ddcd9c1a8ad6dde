//! Domains of organizations (clerk.md, 4.3).

use crate::mirror::raw::RawObject;
use crate::mirror::redact::Treatment;
use crate::mirror::resource::{Shape, boolean, integer, text};
use crate::mirror::value::Value;

pub(in crate::mirror) const SHAPE: Shape = Shape {
    table: "organization_domains",
    event_prefix: "organizationDomain",
    columns: &[
        text("organization_id"),
        text("name"),
        text("enrollment_mode"),
        text("affiliation_email_address"),
        boolean("affiliation_verified"),
        boolean("ownership_verified"),
        integer("total_pending_invitations"),
        integer("total_pending_suggestions"),
    ],
    treatments: &[("public_organization_data", Treatment::Ids)],
    read,
};

fn read(domain: &RawObject) -> Vec<Value> {
    vec![
        domain.id_value("organization_id"),
        domain.text_value("name"),
        domain.text_value("enrollment_mode"),
        domain.text_value("affiliation_email_address"),
        Value::Boolean(is_verified(domain, "affiliation_verification")),
        Value::Boolean(is_verified(domain, "ownership_verification")),
        domain.integer_value("total_pending_invitations"),
        domain.integer_value("total_pending_suggestions"),
    ]
}

fn is_verified(domain: &RawObject, verification: &str) -> Option<bool> {
    let verification = domain.object(verification)?;
    Some(verification.text("status")? == "verified")
}
