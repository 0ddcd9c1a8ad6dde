//! Email and text messages to people. Their bodies hold one-time codes.

use serde_json::json;

use super::World;
use super::person::identifier;
use super::resource::Resource;

impl World {
    pub(super) fn get_a_message(&mut self) {
        let Some(person) = self.any(Resource::Users) else {
            return;
        };
        let code = format!("{:06}", self.dice.below(1_000_000));
        let id = self.dice.token(27);
        let now_ms = self.clock.now_ms();
        let user = &self.record(person).object();
        let name = user["first_name"].as_str().unwrap_or("you");
        let number = &user["phone_numbers"][0];
        if number.is_null() {
            let email = json!({
                "object": "email",
                "id": format!("ema_{id}"),
                "slug": "verification_code",
                "from_email_name": "noreply",
                "reply_to_email_name": null,
                "to_email_address": identifier(user),
                "email_address_id": user["primary_email_address_id"],
                "user_id": user["id"],
                "subject": format!("{code} is your verification code"),
                "body": format!("<p>Hello {name}, your code is <b>{code}</b></p>"),
                "body_plain": format!("Hello {name}, your code is {code}"),
                "status": "queued",
                "data": { "otp_code": code, "requested_by": name, "app": { "name": "Sim" } },
                "delivered_by_clerk": true,
            });
            self.announce_other("email.created", email);
        } else {
            let sms = json!({
                "object": "sms",
                "id": format!("sms_{id}"),
                "slug": "verification_code",
                "from_phone_number": "+15550000000",
                "to_phone_number": number["phone_number"],
                "phone_number_id": number["id"],
                "user_id": user["id"],
                "message": format!("{code} is your code, {name}"),
                "status": "queued",
                "data": { "otp_code": code },
                "delivered_by_clerk": true,
                "created_at_ms": now_ms,
            });
            self.announce_other("sms.created", sms);
        }
    }
}
