//! Roles and permissions that the instance defines.

use serde_json::json;

use super::World;
use super::records::{Place, Record};
use super::resource::Resource;

impl World {
    pub(super) fn live_with_roles(&mut self) {
        let role = self.any(Resource::Roles);
        let permission = self.any(Resource::Permissions);
        match (role, permission, self.dice.below(10)) {
            (_, None, _) | (_, _, 0..=2) => self.define_permission(),
            (None, ..) | (_, _, 3..=4) => self.define_role(),
            (Some(role), _, 5) => self.describe(role, "role.updated"),
            (Some(role), Some(permission), 6..=7) => self.permit(role, permission),
            (_, Some(permission), 8) => self.describe(permission, "permission.updated"),
            (Some(role), Some(permission), _) => {
                if self.dice.chance(0.5) {
                    self.delete_defined(role, "role.deleted");
                } else {
                    self.delete_permission(permission);
                }
            }
        }
    }

    /// A role for a member: one of Clerk's own two, or one that the instance defines.
    pub(super) fn some_role(&mut self) -> String {
        let defined = self.any(Resource::Roles).filter(|_| self.dice.chance(0.3));
        match defined.map(|role| self.record(role).object()["key"].take()) {
            Some(key) => key.as_str().expect("a key is a text").to_owned(),
            None => self.dice.pick(&["org:admin", "org:member"]).to_owned(),
        }
    }

    fn define_permission(&mut self) {
        let pen = self.pen();
        let feature = pen.dice.token(5).to_lowercase();
        let permission = json!({
            "object": "permission",
            "id": pen.dice.id("perm_"),
            "name": format!("Read {feature}"),
            "key": format!("org:{feature}:read"),
            "description": "May look",
            "type": "user",
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let permission = self.add(Resource::Permissions, Record::new(permission));
        self.announce(permission, "permission.created");
    }

    fn define_role(&mut self) {
        let permission = self.any(Resource::Permissions);
        let pen = self.pen();
        let name = pen.dice.token(6).to_lowercase();
        let role = json!({
            "object": "role",
            "id": pen.dice.id("role_"),
            "name": name,
            "key": format!("org:{name}"),
            "description": null,
            "is_creator_eligible": false,
            "created_at": pen.now_ms,
            "updated_at": pen.now_ms,
        });
        let mut record = Record::new(role);
        record.parts.extend(permission);
        let role = self.add(Resource::Roles, record);
        self.announce(role, "role.created");
    }

    fn describe(&mut self, defined: Place, event_type: &str) {
        self.change(defined, |object, pen| {
            object["name"] = pen.organization_name();
            object["description"] = json!(format!("Described {} times", pen.dice.below(1_000)));
        });
        self.announce(defined, event_type);
    }

    /// Gives a role a permission, or takes it.
    fn permit(&mut self, role: Place, permission: Place) {
        let parts = &mut self.record_mut(role).parts;
        match parts.iter().position(|part| *part == permission) {
            Some(index) => drop(parts.remove(index)),
            None => parts.push(permission),
        }
        self.change(role, |_, _| {});
        self.announce(role, "role.updated");
    }

    /// A permission that goes is taken from every role first.
    fn delete_permission(&mut self, permission: Place) {
        let roles: Vec<Place> = self.all(Resource::Roles).collect();
        for role in roles {
            if self.record(role).parts.contains(&permission) {
                self.permit(role, permission);
            }
        }
        self.delete_defined(permission, "permission.deleted");
    }

    /// Clerk's sources disagree whether these deletions carry the whole object or a stub. Here it is either.
    fn delete_defined(&mut self, defined: Place, event_type: &str) {
        if self.dice.chance(0.5) {
            let at_ms = self.announce(defined, event_type);
            return self.end(defined, Some(at_ms));
        }
        let record = self.record(defined);
        let stub = json!({ "object": record.object()["object"], "id": record.id, "deleted": true });
        self.announce_stub(defined, event_type, stub);
    }
}
