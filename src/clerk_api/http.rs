//! One bounded HTTP request whose waiting never delays the server.
//!
//! The request runs on a thread of its own that receives no signal and knows nothing of Postgres, because name look-ups
//! and TLS handshakes cannot be interrupted from outside. The main thread waits in short slices and attends to
//! Postgres in between; if the worker is told to end, it ends, and the thread with it.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy, http};

use crate::settings;
use crate::workers::give_way::give_way;

/// Longest time between two looks at what Postgres wants of us.
const SLICE: Duration = Duration::from_millis(50);
/// Redirects within one host that are followed.
const MAX_REDIRECTS: usize = 3;

/// The bounds of a request, read from the settings on the main thread.
struct Bounds {
    timeout: Duration,
    max_bytes: u64,
    ca_file: Option<String>,
    proxy: Option<String>,
    allow_http_loopback: bool,
}

/// The body of a GET answered 200 with at most `max_bytes`; or what went wrong, in words.
pub fn get(url: &str, max_bytes: u64) -> Result<String, String> {
    let bounds = Bounds {
        timeout: settings::http_timeout(),
        max_bytes,
        ca_file: settings::http_ca_file(),
        proxy: settings::http_proxy(),
        allow_http_loopback: settings::allow_http_loopback(),
    };
    let url = url.to_owned();
    attend_while(move || request(&url, &bounds))
}

/// Runs `work` on a thread while this one serves Postgres' interrupts.
fn attend_while(work: impl FnOnce() -> Result<String, String> + Send + 'static) -> Result<String, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let job = move || drop(sender.send(work()));
    without_signals(|| std::thread::Builder::new().name("clerk http".into()).spawn(job))
        .map_err(|error| format!("no thread could be started for the request: {error}"))?;
    loop {
        match receiver.recv_timeout(SLICE) {
            Ok(answer) => return answer,
            Err(RecvTimeoutError::Timeout) => {
                // Ends the worker on termination and cancel, and answers barriers.
                pgrx::check_for_interrupts!();
                give_way();
            }
            Err(RecvTimeoutError::Disconnected) => return Err("the request broke off".to_owned()),
        }
    }
}

/// Blocks every signal around `spawn`, so that the new thread, and any that it starts, inherits a full mask:
/// Postgres' signal handlers must only ever run on the main thread.
fn without_signals<T>(spawn: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are initialised by sigfillset and pthread_sigmask before they are read.
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = spawn();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}

fn request(url: &str, bounds: &Bounds) -> Result<String, String> {
    let agent = agent(bounds)?;
    let mut uri: http::Uri = url
        .parse()
        .map_err(|error| format!("\"{url}\" is not a URL: {error}"))?;
    for _ in 0..=MAX_REDIRECTS {
        check_scheme(&uri, bounds)?;
        let mut response = agent.get(&uri).call().map_err(|error| describe(&error, bounds))?;
        let status = response.status();
        if status.is_redirection() {
            uri = redirect(&uri, &response)?;
        } else if status != http::StatusCode::OK {
            return Err(format!("the answer was HTTP {}", status.as_u16()));
        } else {
            let body = response.body_mut().with_config().limit(bounds.max_bytes);
            return body.read_to_string().map_err(|error| describe(&error, bounds));
        }
    }
    Err(format!("it redirected more than {MAX_REDIRECTS} times"))
}

fn agent(bounds: &Bounds) -> Result<Agent, String> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots(bounds)?)
        .build();
    let proxy = bounds.proxy.as_deref().map(Proxy::new).transpose();
    // The value is not repeated: it may hold a password.
    let proxy = proxy.map_err(|_| "clerk.http_proxy is not a valid proxy URL".to_owned())?;
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .timeout_global(Some(bounds.timeout))
        .timeout_connect(Some(bounds.timeout.min(Duration::from_secs(2))))
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("clerk_sync/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Agent::new_with_config(config))
}

fn roots(bounds: &Bounds) -> Result<RootCerts, String> {
    let Some(path) = &bounds.ca_file else {
        return Ok(RootCerts::WebPki);
    };
    let pem = std::fs::read(path).map_err(|error| format!("clerk.http_ca_file cannot be read: {error}"))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err("clerk.http_ca_file holds no certificate".to_owned());
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

fn check_scheme(uri: &http::Uri, bounds: &Bounds) -> Result<(), String> {
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if bounds.allow_http_loopback && is_loopback(uri.host().unwrap_or_default()) => Ok(()),
        Some("http") => {
            Err("plain http is refused; clerk.allow_http_loopback allows it to this machine only".into())
        }
        _ => Err(format!("\"{uri}\" is not an https URL")),
    }
}

/// Literal addresses only: a name could be made to mean anything.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

fn redirect<B>(from: &http::Uri, response: &http::Response<B>) -> Result<http::Uri, String> {
    let location = response
        .headers()
        .get(http::header::LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or("it redirected to nowhere")?;
    let target = if location.starts_with('/') && !location.starts_with("//") {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = location.parse().ok();
        http::Uri::from_parts(parts).map_err(|_| "it redirected to a malformed location")?
    } else {
        location
            .parse()
            .map_err(|_| "it redirected to a malformed location")?
    };
    if target.scheme() != from.scheme() || target.authority() != from.authority() {
        return Err(format!(
            "it redirected to another host, {}",
            target.host().unwrap_or("unknown")
        ));
    }
    Ok(target)
}

fn describe(error: &ureq::Error, bounds: &Bounds) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no complete answer within {} ms", bounds.timeout.as_millis()),
        ureq::Error::BodyExceedsLimit(_) => format!("the answer is longer than {} bytes", bounds.max_bytes),
        ureq::Error::HostNotFound => "the host name does not resolve".to_owned(),
        other => other.to_string(),
    }
}
