//! A past of which no event ever told.

use super::World;
use super::resource::Resource;

impl World {
    /// Lets so many people, organizations and memberships come into being before anybody listened: no event tells of
    /// them, only the Backend API shows them. Each takes a millisecond of the world's time.
    ///
    /// Let `users` of the options begin with what is settled here, or people leave without being replaced.
    ///
    /// # Panics
    /// If there are organizations and no people, or more memberships than could be without twins.
    pub fn settle(&mut self, users: usize, organizations: usize, memberships: usize) {
        self.settle_in_ties(1, users, organizations, memberships);
    }

    /// As [`World::settle`], but so many come into being in each millisecond.
    ///
    /// # Panics
    /// As [`World::settle`].
    pub fn settle_in_ties(&mut self, ties: usize, users: usize, organizations: usize, memberships: usize) {
        let mut settled = 0_usize;
        let mut wait = |world: &mut Self| {
            world.clock.wait(i64::from(settled.is_multiple_of(ties)));
            settled += 1;
        };
        for _ in 0..users {
            wait(self);
            let user = self.pen().user();
            self.new_person(user);
        }
        let before = self.living(Resource::OrganizationMemberships);
        for _ in 0..organizations {
            wait(self);
            let creator = self.any(Resource::Users).expect("people found organizations");
            let organization = self.new_organization(creator);
            self.new_membership(creator, organization, "org:admin");
        }
        let wanted = before + memberships.max(organizations);
        let most = self.living(Resource::Users) * self.living(Resource::Organizations);
        assert!(wanted <= most, "{wanted} memberships are more than {most}");
        while self.living(Resource::OrganizationMemberships) < wanted {
            let (person, organization) = (self.any(Resource::Users), self.any(Resource::Organizations));
            let (person, organization) = person.zip(organization).expect("there are members of something");
            let role = self.some_role();
            if !self.is_member(person, organization) {
                wait(self);
                self.new_membership(person, organization, &role);
            }
        }
    }
}
