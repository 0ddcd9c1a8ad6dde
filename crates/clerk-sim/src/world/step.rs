//! What happens next.

use super::World;
use super::options::Activity;
use super::records::Place;
use super::resource::Resource;

impl World {
    /// Tries one thing. Not everything is possible at every time; then no event comes of it.
    pub(super) fn act(&mut self) {
        if self.dice.chance(self.options.adversity.same_millisecond) {
            self.clock.freeze();
        } else {
            self.clock.thaw();
            self.clock.pass(&mut self.dice);
        }
        if self.living(Resource::Users) < (*self.options.users.start()).max(1) {
            self.sign_up();
        } else if self.dice.chance(self.options.adversity.strangers) {
            self.hear_of_a_stranger();
        } else if self.dice.chance(self.options.adversity.twins) {
            self.be_in_two_minds();
        } else {
            self.live();
        }
    }

    fn live(&mut self) {
        // People, their organizations and memberships are most of what happens.
        let weight = |activity: &Activity| match activity {
            Activity::People => 8,
            Activity::Memberships => 7,
            Activity::Organizations => 4,
            Activity::Sessions | Activity::Billing => 3,
            Activity::OrganizationInvitations | Activity::OrganizationDomains | Activity::Roles => 2,
            Activity::Invitations | Activity::Waitlist | Activity::Messages => 1,
        };
        let mut activities = vec![Activity::People];
        activities.extend(&self.options.activities);
        activities.sort_unstable();
        activities.dedup();
        let mut ticket = self.dice.below(activities.iter().map(weight).sum());
        let chosen = activities.iter().find(|activity| {
            let found = ticket < weight(activity);
            ticket = ticket.saturating_sub(weight(activity));
            found
        });
        match chosen.copied().unwrap_or(Activity::People) {
            Activity::People => self.live_as_person(),
            Activity::Sessions => self.live_in_sessions(),
            Activity::Organizations => self.live_as_organization(),
            Activity::Memberships => self.live_as_member(),
            Activity::OrganizationInvitations => self.live_by_organization_invitation(),
            Activity::OrganizationDomains => self.live_under_domain(),
            Activity::Roles => self.live_with_roles(),
            Activity::Invitations => self.live_by_invitation(),
            Activity::Waitlist => self.live_on_the_waitlist(),
            Activity::Billing => self.live_and_pay(),
            Activity::Messages => self.get_a_message(),
        }
    }

    /// Changes one thing and, in the same millisecond, changes it again or deletes it.
    fn be_in_two_minds(&mut self) {
        let resources = [
            Resource::Users,
            Resource::Organizations,
            Resource::OrganizationMemberships,
        ];
        let resource = resources[self.dice.below(resources.len())];
        let Some(place) = self.any(resource) else { return };
        self.clock.freeze();
        self.change_anyhow(place);
        match (self.dice.chance(0.6), resource) {
            (true, _) => self.change_anyhow(place),
            (false, Resource::Users) => self.delete_user(place),
            (false, Resource::Organizations) => self.delete_organization(place),
            (false, _) => self.leave(place),
        }
    }

    fn change_anyhow(&mut self, place: Place) {
        match place.resource {
            Resource::Users => self.rename_user(place),
            Resource::Organizations => self.rename_organization(place),
            _ => self.change_role(place),
        }
    }
}
