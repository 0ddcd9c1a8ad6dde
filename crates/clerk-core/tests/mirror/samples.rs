//! Objects as Clerk's webhook catalogue documents them, every field filled in.

use serde_json::{Value, json};

/// The envelope's time in milliseconds: 18 ms after [`UPDATED`], as in a real delivery.
pub const AT: i64 = 1_744_276_393_644;
/// `updated_at` of every sample.
pub const UPDATED: i64 = 1_744_276_393_626;
/// `created_at` of every sample.
pub const CREATED: i64 = 1_744_276_300_000;

/// A delivery's body.
pub fn event(event_type: &str, data: Value) -> Value {
    json!({
        "data": data,
        "object": "event",
        "type": event_type,
        "timestamp": AT,
        "instance_id": "ins_1",
        "event_attributes": {"http_request": {"client_ip": "192.0.2.7", "user_agent": "Agent/1.0"}},
    })
}

/// The object with other or further members.
pub fn with(mut object: Value, changes: Value) -> Value {
    let members = object.as_object_mut().expect("samples are objects");
    members.extend(changes.as_object().expect("changes are an object").clone());
    object
}

/// The object without a member.
pub fn without(mut object: Value, name: &str) -> Value {
    let members = object.as_object_mut().expect("samples are objects");
    members.remove(name).expect("the sample has it");
    object
}

fn dated(object: Value) -> Value {
    with(object, json!({"created_at": CREATED, "updated_at": UPDATED}))
}

fn verification(status: &str) -> Value {
    json!({"object": "verification_otp", "status": status, "strategy": "email_code", "attempts": 1, "expire_at": AT})
}

pub fn email_address(id: &str, address: &str, status: &str) -> Value {
    dated(json!({
        "id": id, "object": "email_address", "email_address": address, "reserved": false,
        "verification": verification(status), "linked_to": [], "matches_sso_connection": false,
    }))
}

pub fn phone_number(id: &str, number: &str, status: &str) -> Value {
    dated(json!({
        "id": id, "object": "phone_number", "phone_number": number, "reserved_for_second_factor": true,
        "default_second_factor": false, "reserved": false, "verification": verification(status), "linked_to": [],
        "backup_codes": ["bc-111111", "bc-222222"],
    }))
}

fn external_account() -> Value {
    dated(json!({
        "object": "external_account", "id": "eac_1", "provider": "oauth_google", "identification_id": "idn_9",
        "provider_user_id": "113", "approved_scopes": "email profile", "email_address": "ada@example.com",
        "email_address_verified": true, "first_name": "Ada", "last_name": "Lovelace", "image_url": "",
        "username": null, "phone_number": null, "public_metadata": {}, "label": null,
        "verification": verification("verified"),
    }))
}

pub fn user(id: &str) -> Value {
    let user = dated(json!({
        "id": id, "object": "user", "external_id": "ext-7", "primary_email_address_id": "idn_2",
        "primary_phone_number_id": "idn_4", "primary_web3_wallet_id": null, "username": "ada", "first_name": "Ada",
        "last_name": "Lovelace", "locale": "en-GB", "profile_image_url": "https://img.example.com/old.png",
        "image_url": "https://img.example.com/ada.png", "has_image": true, "public_metadata": {"plan": "pro"},
        "private_metadata": {"stripe": "cus_1"}, "unsafe_metadata": {"theme": "dark"},
        "email_addresses": [
            email_address("idn_1", "first@example.com", "unverified"),
            email_address("idn_2", "ada@example.com", "verified"),
        ],
        "phone_numbers": [
            phone_number("idn_3", "+15555550103", "verified"),
            phone_number("idn_4", "+15555550104", "unverified"),
        ],
    }));
    let rest = json!({
        "web3_wallets": [], "passkeys": [], "password_enabled": true, "two_factor_enabled": false,
        "totp_enabled": false, "backup_code_enabled": false, "mfa_enabled_at": null, "mfa_disabled_at": null,
        "password_last_updated_at": CREATED, "saml_accounts": [], "enterprise_accounts": [],
        "external_accounts": [external_account()],
        "last_sign_in_at": UPDATED, "banned": false, "locked": true, "deprovisioned": false,
        "lockout_expires_in_seconds": 3600, "verification_attempts_remaining": 0, "delete_self_enabled": true,
        "create_organization_enabled": true, "create_organizations_limit": null,
        "last_active_at": 1_744_243_200_000_i64, "legal_accepted_at": null, "bypass_client_trust": false,
        "scim": {"directory_id": "dir_1", "directory_enabled": true, "external_id": "scim-7"},
    });
    with(user, rest)
}

pub fn organization(id: &str) -> Value {
    dated(json!({
        "object": "organization", "id": id, "name": "Acme", "slug": "acme",
        "image_url": "https://img.example.com/acme.png", "has_image": true, "members_count": 3,
        "missing_member_with_elevated_permissions": false, "pending_invitations_count": 1,
        "max_allowed_memberships": 5, "admin_delete_enabled": true, "public_metadata": {"tier": "gold"},
        "private_metadata": {"crm": "c-1"}, "created_by": "user_1", "last_active_at": UPDATED, "role_set_key": "rs_1",
    }))
}

pub fn public_user_data(user_id: &str) -> Value {
    json!({
        "user_id": user_id, "first_name": "Ada", "last_name": "Lovelace", "image_url": "https://img.example.com/a",
        "has_image": true, "identifier": "ada@example.com", "profile_image_url": "https://img.example.com/p",
        "username": "ada", "banned": false, "deprovisioned": false,
    })
}

pub fn membership(id: &str, organization_id: &str, user_id: &str) -> Value {
    dated(json!({
        "id": id, "object": "organization_membership", "role": "org:admin", "role_name": "Admin",
        "permissions": ["org:sys_profile:manage", "org:reports:read"], "public_metadata": {"desk": 4},
        "private_metadata": {"salary": 1}, "organization": organization(organization_id),
        "public_user_data": public_user_data(user_id),
    }))
}

pub fn organization_invitation() -> Value {
    dated(json!({
        "object": "organization_invitation", "id": "orginv_1", "email_address": "new@example.com",
        "role": "org:member", "role_name": "Member", "organization_id": "org_1", "inviter_id": "user_1",
        "public_inviter_data": public_user_data("user_1"), "status": "pending", "public_metadata": {"team": "red"},
        "private_metadata": {"note": "n"}, "url": "https://accounts.example.com/sign-up?__clerk_ticket=eyJ0",
        "expires_at": 1_746_868_393_626_i64,
    }))
}

pub fn organization_domain() -> Value {
    dated(json!({
        "object": "organization_domain", "id": "orgdmn_1", "organization_id": "org_1", "name": "example.com",
        "enrollment_mode": "automatic_invitation", "affiliation_email_address": "boss@example.com",
        "affiliation_verification": verification("verified"), "ownership_verification": verification("unverified"),
        "verification": verification("verified"), "total_pending_invitations": 2, "total_pending_suggestions": 1,
        "public_organization_data": {"name": "Acme", "slug": "acme", "has_image": true, "image_url": "https://i"},
    }))
}

pub fn invitation() -> Value {
    dated(json!({
        "object": "invitation", "id": "inv_1", "email_address": "guest@example.com", "status": "pending",
        "public_metadata": {"ref": "x"}, "revoked": false, "expires_at": 1_746_868_393_626_i64,
        "url": "https://accounts.example.com/sign-up?__clerk_ticket=eyJ1",
    }))
}

pub fn permission(id: &str, key: &str) -> Value {
    dated(json!({
        "object": "permission", "id": id, "name": "Read reports", "key": key, "description": "May read.",
        "type": "user",
    }))
}

pub fn role() -> Value {
    dated(json!({
        "object": "role", "id": "role_1", "name": "Auditor", "key": "org:auditor", "description": null,
        "is_creator_eligible": true,
        "permissions": [permission("perm_1", "org:reports:read"), permission("perm_2", "org:audit:read")],
    }))
}

pub fn session() -> Value {
    dated(json!({
        "object": "session", "id": "sess_1", "user_id": "user_1", "client_id": "client_1",
        "actor": {"sub": "user_support"}, "status": "active", "last_active_organization_id": "org_1",
        "last_active_at": UPDATED, "expire_at": 1_744_881_193_626_i64, "abandon_at": 1_746_868_393_626_i64,
        "latest_activity": {
            "object": "session_activity", "id": "sess_activity_1", "device_type": "Macintosh", "is_mobile": false,
            "browser_name": "Chrome", "browser_version": "130", "ip_address": "192.0.2.9", "city": "London",
            "country": "GB",
        },
        "user": without(user("user_1"), "scim"),
    }))
}

pub fn waitlist_entry() -> Value {
    dated(json!({
        "object": "waitlist_entry", "id": "wle_1", "email_address": "queue@example.com", "status": "invited",
        "is_locked": false, "invitation": invitation(),
    }))
}

pub fn email() -> Value {
    json!({
        "id": "ema_1", "object": "email", "slug": "verification_code", "from_email_name": "notifications",
        "reply_to_email_name": null, "to_email_address": "ada@example.com", "email_address_id": "idn_2",
        "user_id": "user_1", "subject": "424242 is your code", "body": "<b>424242</b>", "body_plain": "424242",
        "status": "queued", "data": {"otp_code": "424242", "app": {"name": "Acme"}}, "delivered_by_clerk": true,
    })
}

pub fn sms() -> Value {
    json!({
        "object": "sms_message", "id": "sms_1", "slug": "verification_code", "from_phone_number": "+15555550000",
        "to_phone_number": "+15555550104", "phone_number_id": "idn_4", "user_id": "user_1",
        "message": "424242 is your code", "status": "queued", "data": {"otp_code": "424242"},
        "delivered_by_clerk": true, "created_at_ms": AT,
    })
}

/// Clerk writes the unused side as an empty string.
pub fn payer() -> Value {
    dated(json!({
        "object": "commerce_payer", "id": "cpayer_1", "user_id": "user_1", "first_name": "Ada",
        "last_name": "Lovelace", "email": "ada@example.com", "organization_id": "", "organization_name": "",
        "image_url": "https://img.example.com/ada.png",
    }))
}

fn money(amount: i64) -> Value {
    json!({"amount": amount, "amount_formatted": "12.50", "currency": "USD", "currency_symbol": "$"})
}

pub fn subscription_item(id: &str) -> Value {
    dated(json!({
        "object": "subscription_item", "id": id, "status": "active", "is_free_trial": false, "period_start": CREATED,
        "period_end": 1_746_868_393_626_i64, "interval": "month", "plan_id": "cplan_1",
        "plan": {"id": "cplan_1", "slug": "pro", "name": "Pro", "is_recurring": true, "amount": 1250},
        "payer": payer(), "subscription_id": "csub_1", "seats": {"quantity": 3},
    }))
}

/// Items inside a subscription do not say whose they are.
pub fn subscription() -> Value {
    let item = without(subscription_item("csi_1"), "payer");
    dated(json!({
        "object": "commerce_subscription", "id": "csub_1", "status": "past_due", "active_at": CREATED,
        "canceled_at": null, "ended_at": null, "past_due_at": UPDATED, "latest_payment_id": "cpay_1",
        "payer_id": "cpayer_1", "payer": payer(), "payment_source_id": "csrc_1",
        "items": [with(item, json!({"subscription_id": null}))],
    }))
}

pub fn payment_attempt() -> Value {
    dated(json!({
        "id": "cpat_1", "instance_id": "ins_1", "payment_id": "cpay_1", "invoice_id": "cinv_1",
        "statement_id": "cstm_1", "gateway_external_id": "pi_1", "status": "paid", "paid_at": UPDATED,
        "failed_at": null, "failed_reason": null, "billing_date": CREATED, "charge_type": "recurring",
        "payee": {"id": "cpayee_1", "gateway_type": "stripe", "gateway_external_id": "acct_1"}, "payer": payer(),
        "totals": {"subtotal": money(1000), "tax_total": money(250), "grand_total": money(1250)},
        "payment_source": {"id": "csrc_1", "card_type": "visa", "last4": "4242"},
        "subscription_items": [subscription_item("csi_1")],
    }))
}
