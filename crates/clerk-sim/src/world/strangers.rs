//! Events that say nothing of this world: a mirror has to keep them and leave its tables alone.

use serde_json::json;

use super::World;

impl World {
    pub(super) fn hear_of_a_stranger(&mut self) {
        match self.dice.below(3) {
            0 => self.hear_of_a_foreign_instance(),
            1 => {
                let comet = json!({ "object": "comet", "id": self.dice.id("comet_"), "tail": null });
                self.announce_other("comet.sighted", comet);
            }
            _ => {
                let (object, event_type) = *self.dice.pick(&[
                    &("user", "user.deleted"),
                    &("organization", "organization.deleted"),
                    &("role", "role.deleted"),
                ]);
                self.announce_other(event_type, json!({ "object": object, "deleted": true }));
            }
        }
    }

    /// As the dashboard's test events are.
    fn hear_of_a_foreign_instance(&mut self) {
        let user = self.pen().user();
        let (at_ms, seconds) = self.event_time();
        let mut envelope = self.envelope("user.created", user, at_ms, seconds);
        envelope["instance_id"] = json!("ins_of_somebody_else");
        self.post("user.created", at_ms, &envelope);
    }
}
