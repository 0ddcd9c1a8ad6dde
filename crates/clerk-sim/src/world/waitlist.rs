//! People queue for an application that is not open yet.

use serde_json::json;

use super::World;
use super::records::Record;
use super::resource::Resource;

impl World {
    pub(super) fn live_on_the_waitlist(&mut self) {
        match self.any(Resource::WaitlistEntries) {
            Some(entry) if self.dice.chance(0.5) => {
                let status = *self.dice.pick(&[&"invited", &"completed", &"rejected"]);
                if status == "invited" && self.record(entry).parts.is_empty() {
                    let invitation = self.new_invitation();
                    self.record_mut(entry).parts.push(invitation);
                }
                self.change(entry, |entry, pen| {
                    entry["status"] = json!(status);
                    entry["is_locked"] = json!(pen.dice.chance(0.5));
                });
                self.announce(entry, "waitlistEntry.updated");
            }
            _ => self.queue(),
        }
    }

    fn queue(&mut self) {
        let mut pen = self.pen();
        let entry = json!({
            // Clerk's schema and its own example disagree about the name.
            "object": *pen.dice.pick(&["waitlist_entry", "waitlistEntry"]),
            "id": pen.dice.id("wle_"),
            "email_address": pen.strangers_address(),
            "status": "pending",
            "is_locked": false,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let entry = self.add(Resource::WaitlistEntries, Record::new(entry));
        self.announce(entry, "waitlistEntry.created");
    }
}
