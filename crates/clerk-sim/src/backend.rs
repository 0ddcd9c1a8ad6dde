//! What a test does with the Backend API of a [`Simulator`].

use std::collections::BTreeMap;
use std::sync::MutexGuard;

use crate::api::{ApiFault, ApiRequest, ApiSettings, Chaos, FaultPlan, Pace, RateLimit, new_secret_key};
use crate::crowd::Crowd;
use crate::server::Simulator;
use crate::world::{Event, World};

impl Simulator {
    /// `http://127.0.0.1:<port>/v1`.
    pub fn api_url(&self) -> String {
        format!("{}/v1", self.url())
    }

    /// The key that the Backend API lets in.
    pub fn secret_key(&self) -> String {
        self.instance.api.settings().secret_key.clone()
    }

    /// Revokes the secret key and gives a new one.
    pub fn rotate_secret_key(&self) -> String {
        let key = new_secret_key();
        self.change_api(|api| api.secret_key.clone_from(&key));
        key
    }

    /// Changes the instance that the Backend API shows: `clerk.change_api(|api| api.user_billing = false)`.
    pub fn change_api(&self, change: impl FnOnce(&mut ApiSettings)) {
        change(&mut self.instance.api.settings());
    }

    /// Sets how much may be asked; none is no limit.
    pub fn limit_rate(&self, limit: Option<RateLimit>) {
        self.change_api(|api| api.rate_limit = limit);
    }

    /// The world, which stands still while this is held: let go before the next request.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.instance.world()
    }

    /// Puts another world in place of the present one.
    pub fn set_world(&self, world: World) {
        *self.instance.world() = world;
    }

    /// Lets the Backend API list a synthetic crowd instead of the world, or the world again.
    pub fn set_crowd(&self, crowd: Option<Crowd>) {
        *self.instance.api.crowd() = crowd;
    }

    /// Spoils the next request to the Backend API.
    pub fn api_fault(&self, fault: ApiFault) {
        self.plan_fault(FaultPlan::once(fault));
    }

    /// Spoils some requests to come. Plans are tried in the order in which they were made.
    pub fn plan_fault(&self, plan: FaultPlan) {
        self.instance.api.faults().plan(plan);
    }

    /// Spoils requests by chance.
    pub fn set_chaos(&self, chaos: Chaos) {
        self.instance.api.faults().set_chaos(chaos);
    }

    /// Ends all planned and random faults of the Backend API.
    pub fn clear_api_faults(&self) {
        self.instance.api.faults().clear();
    }

    /// Every request to the Backend API so far, oldest first.
    pub fn api_requests(&self) -> Vec<ApiRequest> {
        self.instance.api.journal().requests().to_vec()
    }

    /// How many requests each path of the Backend API has had, such as `/users`.
    pub fn api_counts(&self) -> BTreeMap<String, u64> {
        self.instance.api.journal().counts()
    }

    /// Lets so many things happen after every so many requests to the Backend API; 0 stops that.
    /// [`take_events`](Self::take_events) gives the events.
    pub fn keep_living(&self, every: u64, steps: usize) {
        self.instance.api.life().set_pace(Pace { every, steps });
    }

    /// The events of what happened by [`keep_living`](Self::keep_living) since the last call.
    pub fn take_events(&self) -> Vec<Event> {
        self.instance.api.life().take_events()
    }

    /// Calls this after every request to the Backend API, with the world as it may be changed before the next one.
    /// It must not call the simulator's methods, which wait for the world.
    pub fn after_each_request(&self, hook: impl FnMut(&ApiRequest, &mut World) + Send + 'static) {
        self.instance.api.life().set_hook(Box::new(hook));
    }
}
