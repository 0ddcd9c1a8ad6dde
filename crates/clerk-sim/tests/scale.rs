//! A world as large as a middling customer's: a hundred thousand people, walked through while it lives.

use std::collections::BTreeSet;
use std::fs::read_to_string;

use clerk_sim::{Resource, Simulator, World, WorldOptions};
use serde_json::Value;
use ureq::Agent;

const USERS: usize = 100_000;
const ORGANIZATIONS: usize = 5_000;
const MEMBERSHIPS: usize = 150_000;

/// The most memory this process has had, in MiB.
fn peak_mib() -> u64 {
    let status = read_to_string("/proc/self/status").expect("Linux tells");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

struct Client {
    clerk: Simulator,
    agent: Agent,
    bearer: String,
}

impl Client {
    fn page(&self, path: &str) -> Vec<Value> {
        let request = self.agent.get(format!("{}{path}", self.clerk.api_url()));
        let mut answer = request.header("authorization", &self.bearer).call().unwrap();
        let body = answer.body_mut().with_config().limit(1 << 26);
        match serde_json::from_slice(&body.read_to_vec().unwrap()).unwrap() {
            Value::Array(objects) => objects,
            mut object => object["data"].as_array_mut().unwrap().drain(..).collect(),
        }
    }

    /// Walks by cursor, which misses nobody.
    fn walk_by_cursor(&self) -> Vec<String> {
        let (mut walked, mut after) = (Vec::new(), String::new());
        loop {
            let page = self.page(&format!("/users?limit=500&order_by=created_at{after}"));
            let is_last = page.len() < 500;
            walked.extend(page.iter().map(|user| user["id"].as_str().unwrap().to_owned()));
            if is_last {
                return walked;
            }
            after = format!("&starting_after={}", walked.last().unwrap());
        }
    }
}

#[test]
fn a_large_world_is_small_and_can_be_walked_through() {
    let mut world = World::new(WorldOptions {
        users: USERS..=USERS + 1_000,
        organizations: ORGANIZATIONS + 100,
        ..WorldOptions::default()
    });
    world.settle(USERS, ORGANIZATIONS, MEMBERSHIPS);
    for (resource, expected) in [
        (Resource::Users, USERS),
        (Resource::Organizations, ORGANIZATIONS),
        (Resource::OrganizationMemberships, MEMBERSHIPS),
        (Resource::Roles, 0),
    ] {
        assert_eq!(
            world.facts(resource).filter(|(_, fact)| fact.exists).count(),
            expected
        );
    }
    let first: BTreeSet<String> = world.facts(Resource::Users).map(|(id, _)| id).collect();
    assert_eq!(first.len(), USERS);

    let clerk = Simulator::start();
    clerk.change_api(|api| {
        api.rate_limit = None;
        api.follow_deleted_cursor = true;
    });
    clerk.set_world(world);
    clerk.keep_living(1, 5);
    let client = Client {
        bearer: format!("Bearer {}", clerk.secret_key()),
        agent: Agent::new_with_defaults(),
        clerk,
    };
    let walked = client.walk_by_cursor();
    assert!(client.clerk.take_events().len() > 1_000, "it lived meanwhile");
    let seen: BTreeSet<&String> = walked.iter().collect();
    assert_eq!(seen.len(), walked.len(), "nobody twice");
    let world = client.clerk.world();
    let missed = first
        .iter()
        .filter(|id| !seen.contains(id) && world.api_object(Resource::Users, id).is_some());
    assert_eq!(missed.count(), 0, "nobody who stayed is missed");
    drop(world);

    let page = client.page("/organization_memberships?limit=500&offset=100000&order_by=created_at");
    assert!(
        page.len() == 500
            && page
                .iter()
                .all(|membership| membership["organization"]["id"].is_string())
    );
    let peak = peak_mib();
    println!("{peak} MiB");
    assert!(peak < 2_048, "{peak} MiB");
}
