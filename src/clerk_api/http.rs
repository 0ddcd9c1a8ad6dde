//! Bounded HTTP requests, one after the other over a connection that is kept.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use clerk_core::backend_api::{answered_at, retry};
use ureq::http::{HeaderMap, Method, StatusCode, Uri, header};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};

use super::attend::attend_while;
use super::trouble::Trouble;
use crate::settings;

/// What an answer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the look-up of the name to the last byte.
    pub timeout: Duration,
    pub max_bytes: u64,
}

/// A client with its connections, for one worker.
pub struct Client {
    agent: Agent,
    allow_http_loopback: bool,
}

/// An answer, whatever its status.
pub struct Response {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: String,
}

impl Response {
    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long whoever answers wants to be left alone, if it says.
    pub fn retry_after(&self) -> Option<Duration> {
        retry::retry_after(self.header("retry-after")?, self.answered())
    }

    /// The answer's own time, for a Retry-After that is a date; ours if it has none.
    fn answered(&self) -> SystemTime {
        let date = answered_at(self.header("date"), SystemTime::now()).ok();
        date.and_then(|micros| u64::try_from(micros).ok())
            .map_or_else(SystemTime::now, |micros| {
                SystemTime::UNIX_EPOCH + Duration::from_micros(micros)
            })
    }
}

impl Client {
    /// Reads the settings; to be called on the main thread.
    pub fn new() -> Result<Self, Trouble> {
        Ok(Self {
            agent: agent()?,
            allow_http_loopback: settings::allow_http_loopback(),
        })
    }

    /// Asks once and follows no redirection. Raises only if the worker is cancelled or told to end.
    pub fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&'static str, String)],
        limits: Limits,
    ) -> Result<Response, Trouble> {
        let uri: Uri = url
            .parse()
            .map_err(|_| Trouble::Settings(format!("\"{url}\" is not a URL")))?;
        self.check_scheme(&uri)?;
        let (agent, headers) = (self.agent.clone(), headers.to_vec());
        attend_while(move || send(&agent, method, &uri, &headers, limits)).unwrap_or_else(|| {
            Err(Trouble::Connection(
                "no thread could be started, or it broke off".to_owned(),
            ))
        })
    }

    fn check_scheme(&self, uri: &Uri) -> Result<(), Trouble> {
        match uri.scheme_str() {
            Some("https") => Ok(()),
            Some("http") if self.allow_http_loopback && is_loopback(uri.host().unwrap_or_default()) => Ok(()),
            Some("http") => Err(Trouble::Settings(
                "plain http is refused; clerk.allow_http_loopback allows it to this machine only".to_owned(),
            )),
            _ => Err(Trouble::Settings(format!("\"{uri}\" is not an https URL"))),
        }
    }
}

/// On a thread of its own.
fn send(
    agent: &Agent,
    method: Method,
    uri: &Uri,
    headers: &[(&'static str, String)],
    limits: Limits,
) -> Result<Response, Trouble> {
    let mut request = ureq::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    // What cannot be a header is not repeated: it may be a secret.
    let request = request
        .body(())
        .map_err(|_| Trouble::Settings("a header of the request is malformed".to_owned()))?;
    let request = agent
        .configure_request(request)
        .timeout_global(Some(limits.timeout))
        .timeout_connect(Some(limits.timeout.min(LONGEST_CONNECT)))
        .build();
    let explain = |error: ureq::Error| Trouble::of(&error, limits);
    let response = agent.run(request).map_err(explain)?;
    let (parts, mut body) = response.into_parts();
    // Not a byte of it has to be read.
    if body
        .content_length()
        .is_some_and(|length| length > limits.max_bytes)
    {
        return Err(Trouble::TooLong(limits.max_bytes));
    }
    let bytes = body
        .with_config()
        .limit(limits.max_bytes)
        .read_to_vec()
        .map_err(explain)?;
    Ok(Response {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8(bytes)
            .map_err(|_| Trouble::Broken("the answer is not in UTF-8".to_owned()))?,
    })
}

/// A host that does not take a connection within this will not.
const LONGEST_CONNECT: Duration = Duration::from_secs(2);

fn agent() -> Result<Agent, Trouble> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots()?)
        .build();
    let proxy = settings::http_proxy().as_deref().map(Proxy::new).transpose();
    // The value is not repeated: it may hold a password.
    let proxy =
        proxy.map_err(|_| Trouble::Settings("clerk.http_proxy is not a valid proxy URL".to_owned()))?;
    let config = Agent::config_builder()
        .tls_config(tls)
        .proxy(proxy)
        .max_redirects(0)
        .http_status_as_error(false)
        .user_agent(concat!("clerk_sync/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Agent::new_with_config(config))
}

fn roots() -> Result<RootCerts, Trouble> {
    let Some(path) = settings::http_ca_file() else {
        return Ok(RootCerts::WebPki);
    };
    let pem = std::fs::read(path)
        .map_err(|error| Trouble::Settings(format!("clerk.http_ca_file cannot be read: {error}")))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if certificates.is_empty() {
        return Err(Trouble::Settings(
            "clerk.http_ca_file holds no certificate".to_owned(),
        ));
    }
    Ok(RootCerts::new_with_certs(&certificates))
}

/// Literal addresses only: a name could be made to mean anything.
fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    address
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback())
}

/// Where a redirection leads, if it stays on the same host.
pub fn redirected(from: &str, response: &Response) -> Result<String, Trouble> {
    let malformed = || Trouble::Settings("it redirected to a malformed location".to_owned());
    let location = response
        .header(header::LOCATION.as_str())
        .ok_or_else(|| Trouble::Settings("it redirected to nowhere".to_owned()))?;
    let from: Uri = from.parse().map_err(|_| malformed())?;
    let target = if location.starts_with('/') && !location.starts_with("//") {
        let mut parts = from.clone().into_parts();
        parts.path_and_query = location.parse().ok();
        Uri::from_parts(parts).map_err(|_| malformed())?
    } else {
        location.parse().map_err(|_| malformed())?
    };
    if target.scheme() != from.scheme() || target.authority() != from.authority() {
        return Err(Trouble::Settings(format!(
            "it redirected to another host, {}",
            target.host().unwrap_or("unknown")
        )));
    }
    Ok(target.to_string())
}
