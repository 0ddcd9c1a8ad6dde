//! A client of the Backend API.

use clerk_sim::Simulator;
use serde_json::Value;
use ureq::Agent;

/// A simulator without a limit, and a client that has its key.
pub struct Scene {
    pub clerk: Simulator,
    agent: Agent,
}

/// An answer that came whole.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    headers: ureq::http::HeaderMap,
}

impl Answer {
    /// A header as text, empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{:?} is JSON", self.body))
    }

    /// Status and code of an error in Clerk's form.
    pub fn error(&self) -> (u16, String) {
        let body = self.json();
        let error = &body["errors"][0];
        assert!(error["message"].is_string() && error["long_message"].is_string());
        assert!(!body["clerk_trace_id"].as_str().unwrap().is_empty());
        (self.status, error["code"].as_str().unwrap().to_owned())
    }
}

impl Scene {
    /// An empty world.
    pub fn new() -> Self {
        let clerk = Simulator::start();
        clerk.limit_rate(None);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false);
        Self {
            clerk,
            agent: config.build().into(),
        }
    }

    /// A world in which so many things happened.
    pub fn after(steps: usize) -> Self {
        let scene = Self::new();
        let mut world = scene.clerk.world();
        (0..steps).for_each(|_| drop(world.step()));
        drop(world);
        scene
    }

    /// A request with these headers, and no other that matters.
    pub fn request(&self, path: &str, headers: &[(&str, &str)]) -> Result<Answer, ureq::Error> {
        let mut request = self.agent.get(format!("{}{path}", self.clerk.api_url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut response = request.call()?;
        let limit = 1 << 30;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().with_config().limit(limit).read_to_string()?,
        })
    }

    /// A request with the secret key, whatever comes of it.
    pub fn try_get(&self, path: &str) -> Result<Answer, ureq::Error> {
        let bearer = format!("Bearer {}", self.clerk.secret_key());
        self.request(path, &[("authorization", &bearer)])
    }

    /// A request with the secret key that is answered.
    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path)
            .unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// The objects of a page.
    pub fn page(&self, path: &str) -> Vec<Value> {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        match answer.json() {
            Value::Array(objects) => objects,
            mut object => object["data"].as_array_mut().unwrap().drain(..).collect(),
        }
    }

    /// The ids on a page.
    pub fn ids(&self, path: &str) -> Vec<String> {
        let objects = self.page(path);
        objects.iter().map(|object| text(&object["id"])).collect()
    }

    /// A path to which a POST is made with the secret key.
    pub fn post(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.clerk.secret_key());
        let request = self.agent.post(format!("{}{path}", self.clerk.api_url()));
        let mut response = request
            .header("authorization", bearer)
            .send_empty()
            .expect("the simulator answers");
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().expect("it is a text").to_owned()
}
