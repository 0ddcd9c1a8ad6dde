//! The simulated instance on a loopback port, in a thread of its own.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::{future::IntoFuture, io};

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde_json::Value;
use tokio::sync::oneshot;

use crate::api::{self, Api, ApiSettings, WorldClock};
use crate::connection::{Door, Wire};
use crate::control;
use crate::faults::Fault;
use crate::keys::{Rotation, SigningKeys};
use crate::random::random_hex;
use crate::sender::now_ms;
use crate::tokens::Token;
use crate::world::{World, WorldOptions};

/// What a simulator starts with.
#[derive(Clone, Debug)]
pub struct Options {
    /// The loopback port; 0 takes any free one.
    pub port: u16,
    /// The `iss` of tokens minted over HTTP, and what [`Simulator::issuer`] gives. It need not lead here.
    pub issuer: String,
    /// The kid of the first key. At Clerk it is the instance id.
    pub kid: String,
    /// What kind of instance the Backend API is one of.
    pub api: ApiSettings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            port: 0,
            issuer: "https://clerk.sim.test".to_owned(),
            kid: "ins_sim".to_owned(),
            api: ApiSettings::default(),
        }
    }
}

/// A running stand-in for Clerk. It stops when dropped, open connections included.
pub struct Simulator {
    pub(crate) instance: Arc<Instance>,
    address: SocketAddr,
    /// Dropping the sender stops the server.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Starts on a free loopback port, with the default issuer and kid.
    ///
    /// # Panics
    /// If the machine has no loopback port to give.
    pub fn start() -> Self {
        Self::start_with(Options::default()).expect("a loopback port is free")
    }

    /// Starts on a given loopback port, for example on that of an earlier simulator.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start_on(port: u16) -> io::Result<Self> {
        Self::start_with(Options {
            port,
            ..Options::default()
        })
    }

    /// Starts with all options given. It accepts connections when this returns.
    ///
    /// # Errors
    /// If the port is taken.
    pub fn start_with(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let instance = Arc::new(Instance::new(options));
        let router = router(Arc::clone(&instance));
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("clerk-sim".to_owned())
            .spawn(move || serve(listener, router, stopped))?;
        Ok(Self {
            instance,
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where the keys are published: plain HTTP on loopback, whatever the issuer is.
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.url())
    }

    /// The issuer of the instance.
    pub fn issuer(&self) -> &str {
        &self.instance.issuer
    }

    /// The keys as they are now.
    pub fn keys(&self) -> SigningKeys {
        self.instance.keys().clone()
    }

    /// The set the keys are published in, whatever fault is on.
    pub fn jwks(&self) -> Value {
        self.instance.keys().jwks()
    }

    /// Signs a token with the current key.
    pub fn mint(&self, token: Token) -> String {
        token.sign(&self.instance.keys())
    }

    /// Signs a token under the current kid with a key that was never published.
    pub fn forge(&self, token: Token) -> String {
        token.sign(&self.instance.keys().stranger())
    }

    /// Changes the signing key; gives the kid that signs from now on.
    pub fn rotate(&self, rotation: Rotation) -> String {
        self.instance.rotate(rotation)
    }

    /// Lets the key endpoint misbehave until the next call; [`Fault::Ok`] mends it.
    pub fn fault(&self, fault: Fault) {
        self.instance.set_fault(fault);
    }

    /// Lets the key endpoint misbehave in these ways, one request after the other, before it goes on as it was told last.
    pub fn faults_to_come(&self, faults: impl IntoIterator<Item = Fault>) {
        self.instance.plan_faults(faults);
    }

    /// How many requests the key endpoint has had, whatever came of them.
    pub fn jwks_requests(&self) -> u64 {
        self.instance.jwks_requests()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic of the server thread has been printed already, and a drop must not panic.
        self.thread.take().map(JoinHandle::join);
    }
}

/// The state behind the endpoints, shared by the server thread and the [`Simulator`].
pub(crate) struct Instance {
    pub(crate) issuer: String,
    /// The instance id, as which the first key was published too.
    pub(crate) id: String,
    pub(crate) api: Api,
    keys: Mutex<SigningKeys>,
    fault: Mutex<Fault>,
    faults_to_come: Mutex<VecDeque<Fault>>,
    jwks_requests: AtomicU64,
    world: Mutex<World>,
}

impl Instance {
    fn new(options: Options) -> Self {
        let keys = SigningKeys::new(&options.kid);
        let world = World::new(WorldOptions {
            instance_id: options.kid.clone(),
            ..WorldOptions::default()
        });
        Self {
            issuer: options.issuer,
            id: options.kid,
            api: Api::new(options.api),
            keys: Mutex::new(keys),
            fault: Mutex::new(Fault::Ok),
            faults_to_come: Mutex::default(),
            jwks_requests: AtomicU64::new(0),
            world: Mutex::new(world),
        }
    }

    pub(crate) fn keys(&self) -> MutexGuard<'_, SigningKeys> {
        self.keys.lock().expect("no holder of the keys panics")
    }

    /// The world, at the time that its clock says.
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().expect("no holder of the world panics");
        if let Some(now_ms) = self.wall_ms() {
            world.catch_up(now_ms);
        }
        world
    }

    /// This machine's time as the world's clock has it, if it looks at it.
    pub(crate) fn wall_ms(&self) -> Option<i64> {
        match self.api.settings().clock {
            WorldClock::World => None,
            WorldClock::Wall { ahead_ms } => Some(now_ms() + ahead_ms),
        }
    }

    pub(crate) fn rotate(&self, rotation: Rotation) -> String {
        let mut keys = self.keys();
        match rotation {
            Rotation::Same => keys.rotate_same_kid(),
            Rotation::New => keys.rotate_new_kid(&new_kid()),
            Rotation::Overlap => keys.rotate_overlapping(&new_kid()),
        }
        keys.kid().to_owned()
    }

    pub(crate) fn set_fault(&self, fault: Fault) {
        *self.fault.lock().expect("no holder of the fault panics") = fault;
    }

    fn plan_faults(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut planned = self.faults_to_come.lock().expect("no holder of the plan panics");
        planned.extend(faults);
    }

    fn next_fault(&self) -> Fault {
        let planned = self
            .faults_to_come
            .lock()
            .expect("no holder of the plan panics")
            .pop_front();
        planned.unwrap_or_else(|| self.fault.lock().expect("no holder of the fault panics").clone())
    }

    pub(crate) fn jwks_requests(&self) -> u64 {
        self.jwks_requests.load(Ordering::SeqCst)
    }

    async fn answer_jwks(&self) -> Response {
        self.jwks_requests.fetch_add(1, Ordering::SeqCst);
        let fault = self.next_fault();
        let jwks = self.keys().jwks();
        fault.answer(jwks).await
    }
}

fn new_kid() -> String {
    format!("ins_{}", random_hex(12))
}

fn router(instance: Arc<Instance>) -> Router {
    Router::new()
        .route(
            "/.well-known/jwks.json",
            get(async |State(instance): State<Arc<Instance>>| instance.answer_jwks().await),
        )
        .merge(api::router())
        .merge(control::router())
        .with_state(instance)
}

/// Serves until `stopped` resolves. Leaving drops the runtime, and with it every open connection.
fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime can be built");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("the listener is non-blocking");
        let router = router.into_make_service_with_connect_info::<Wire>();
        tokio::select! {
            _ = axum::serve(Door(listener), router).into_future() => {}
            _ = stopped => {}
        }
    });
}
