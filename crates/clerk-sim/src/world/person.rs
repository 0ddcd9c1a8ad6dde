//! What a user looks like.

use serde_json::{Map, Value, json};

use super::pen::Pen;

/// Fields that old samples lack.
const OPTIONAL: [&str; 12] = [
    "locale",
    "profile_image_url",
    "password_last_updated_at",
    "deprovisioned",
    "lockout_expires_in_seconds",
    "verification_attempts_remaining",
    "create_organizations_limit",
    "last_active_at",
    "bypass_client_trust",
    "mfa_enabled_at",
    "mfa_disabled_at",
    "legal_accepted_at",
];

impl Pen<'_> {
    /// A new person, with one or two addresses or none, the primary one not necessarily first.
    pub(crate) fn user(&mut self) -> Value {
        let image_url = self.image_url();
        let mut user = json!({
            "id": self.dice.id("user_"),
            "object": "user",
            "username": null,
            "first_name": self.first_name(),
            "last_name": self.last_name(),
            "locale": null,
            "image_url": image_url,
            "profile_image_url": image_url,
            "has_image": self.dice.chance(0.5),
            "primary_email_address_id": null,
            "primary_phone_number_id": null,
            "primary_web3_wallet_id": null,
            "password_enabled": self.dice.chance(0.7),
            "two_factor_enabled": false,
            "totp_enabled": false,
            "backup_code_enabled": false,
            "email_addresses": [],
            "phone_numbers": [],
            "web3_wallets": [],
            "passkeys": [],
            "external_accounts": [],
            "saml_accounts": [],
            "enterprise_accounts": [],
            "password_last_updated_at": null,
            "public_metadata": self.metadata(),
            "private_metadata": self.metadata(),
            "unsafe_metadata": self.metadata(),
            "external_id": null,
            "created_at": self.now_ms,
            "updated_at": self.now_ms,
            "last_active_at": self.now_ms / 86_400_000 * 86_400_000,
        });
        fields(&mut user).append(fields(&mut json!({
            "last_sign_in_at": null,
            "banned": false,
            "locked": false,
            "deprovisioned": false,
            "lockout_expires_in_seconds": null,
            "verification_attempts_remaining": 100,
            "delete_self_enabled": true,
            "bypass_client_trust": false,
            "create_organization_enabled": true,
            "create_organizations_limit": null,
            "mfa_enabled_at": null,
            "mfa_disabled_at": null,
            "legal_accepted_at": null,
        })));
        let addresses = *self.dice.pick(&[&0, &1, &1, &2, &2]);
        for _ in 0..addresses {
            self.add_email_address(&mut user);
        }
        if addresses == 0 || self.dice.chance(0.2) {
            self.add_phone_number(&mut user);
        }
        if self.dice.chance(0.4) {
            user["username"] = self.username();
        }
        if self.dice.chance(0.3) {
            user["external_id"] = self.external_id();
        }
        if addresses > 0 && self.dice.chance(0.2) {
            self.add_external_account(&mut user);
        }
        if self.dice.chance(self.adversity.sparse) {
            fields(&mut user).retain(|name, _| !OPTIONAL.contains(&name.as_str()));
        }
        user
    }

    /// Adds an address that is older than the change that shows it, as seen at Clerk, and may make it primary.
    pub(crate) fn add_email_address(&mut self, user: &mut Value) {
        let created_at = self.now_ms - 21_000;
        let id = json!(self.dice.id("idn_"));
        let verification = match self.dice.below(4) {
            0 => Value::Null,
            1 => {
                json!({ "object": "verification_otp", "status": "unverified", "strategy": "email_code", "attempts": 0,
                    "expire_at": self.now_ms + 600_000 })
            }
            _ => verified(),
        };
        let address = json!({
            "id": id,
            "object": "email_address",
            "email_address": self.email_address(),
            "reserved": false,
            "verification": verification,
            "linked_to": [],
            "matches_sso_connection": false,
            "created_at": created_at,
            "updated_at": created_at,
        });
        if user["primary_email_address_id"].is_null() || self.dice.chance(0.5) {
            user["primary_email_address_id"] = id;
        }
        list(user, "email_addresses").push(address);
    }

    pub(crate) fn add_phone_number(&mut self, user: &mut Value) {
        let id = json!(self.dice.id("idn_"));
        let number = json!({
            "id": id,
            "object": "phone_number",
            "phone_number": self.phone_number(),
            "reserved_for_second_factor": false,
            "default_second_factor": false,
            "reserved": false,
            "verification": verified(),
            "linked_to": [],
            "backup_codes": null,
            "created_at": self.now_ms,
            "updated_at": self.now_ms,
        });
        if user["primary_phone_number_id"].is_null() {
            user["primary_phone_number_id"] = id;
        }
        list(user, "phone_numbers").push(number);
    }

    pub(crate) fn add_external_account(&mut self, user: &mut Value) {
        let account = json!({
            "object": "external_account",
            "id": self.dice.id("eac_"),
            "provider": "oauth_google",
            "identification_id": self.dice.id("idn_"),
            "provider_user_id": self.dice.token(21),
            "approved_scopes": "email profile",
            "email_address": user["email_addresses"][0]["email_address"],
            "email_address_verified": true,
            "first_name": user["first_name"],
            "last_name": user["last_name"],
            "image_url": user["image_url"],
            "username": null,
            "phone_number": null,
            "public_metadata": {},
            "label": null,
            "verification": verified(),
            "created_at": self.now_ms,
            "updated_at": self.now_ms,
        });
        list(user, "external_accounts").push(account);
    }

    /// Writes every personal field anew, those that were null or empty as well.
    pub(super) fn rewrite(&mut self, user: &mut Value) {
        user["first_name"] = self.first_name();
        user["last_name"] = self.last_name();
        user["username"] = self.username();
        user["external_id"] = self.external_id();
        user["image_url"] = self.image_url();
        user["profile_image_url"] = user["image_url"].clone();
        for metadata in ["public_metadata", "private_metadata", "unsafe_metadata"] {
            user[metadata] = self.metadata();
        }
        self.add_email_address(user);
        self.add_phone_number(user);
        user["external_accounts"] = json!([]);
        for address in list(user, "email_addresses") {
            address["email_address"] = self.email_address();
        }
        for number in list(user, "phone_numbers") {
            number["phone_number"] = self.phone_number();
        }
        self.add_external_account(user);
    }
}

pub(super) fn verified() -> Value {
    json!({ "object": "verification_otp", "status": "verified", "strategy": "email_code", "attempts": 1,
        "expire_at": null })
}

fn fields(object: &mut Value) -> &mut Map<String, Value> {
    object.as_object_mut().expect("it is an object")
}

/// The array in a field.
pub(super) fn list<'a>(object: &'a mut Value, field: &str) -> &'a mut Vec<Value> {
    object[field].as_array_mut().expect("the field is an array")
}

/// What a membership shows of a person.
pub(crate) fn public_user_data(user: &Value) -> Value {
    let mut data = profile(user);
    data["username"] = user["username"].clone();
    data["banned"] = user["banned"].clone();
    data["deprovisioned"] = json!(user["deprovisioned"] == true);
    data
}

/// What an invitation shows of who sent it.
pub(super) fn profile(user: &Value) -> Value {
    json!({
        "user_id": user["id"],
        "first_name": user["first_name"],
        "last_name": user["last_name"],
        "image_url": user["image_url"],
        "profile_image_url": user["image_url"],
        "has_image": user["has_image"],
        "identifier": identifier(user),
    })
}

/// What identifies a person to others: the primary address, or the first thing there is.
pub(super) fn identifier(user: &Value) -> Value {
    let primary = |element: &&Value| element["id"] == user["primary_email_address_id"];
    let addresses = user["email_addresses"].as_array();
    match addresses.and_then(|addresses| addresses.iter().find(primary)) {
        Some(address) => address["email_address"].clone(),
        None => user["phone_numbers"][0]["phone_number"].clone(),
    }
}
