//! Why no answer came.

use std::fmt;

use clerk_core::backend_api::{ApiFault, Cause, FaultKind};
use rustls::CertificateError;

use super::http::Limits;

/// A request without an answer. Holds nothing secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Not within so many milliseconds.
    Timeout(u128),
    /// Longer than so many bytes.
    TooLong(u64),
    NoSuchHost,
    /// Whoever answers cannot show that it is the host.
    Certificate(String),
    /// No connection, or it broke.
    Connection(String),
    /// What came is not a whole answer.
    Broken(String),
    /// The request cannot be made as it is configured.
    Settings(String),
}

impl Trouble {
    /// Whether the same request may go well a moment later. A name that does not resolve is not asked for again: the system's
    /// resolver has tried several times already.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Timeout(_) | Self::Connection(_) | Self::Broken(_))
    }

    pub fn of(error: &ureq::Error, limits: Limits) -> Self {
        match error {
            ureq::Error::Timeout(_) => Self::Timeout(limits.timeout.as_millis()),
            ureq::Error::BodyExceedsLimit(_) => Self::TooLong(limits.max_bytes),
            ureq::Error::HostNotFound => Self::NoSuchHost,
            ureq::Error::Rustls(error) => Self::of_tls(error),
            ureq::Error::ConnectProxyFailed(reason) => {
                Self::Connection(format!("the proxy (clerk.http_proxy) refused: {reason}"))
            }
            ureq::Error::Io(error) => match error
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<rustls::Error>())
            {
                Some(error) => Self::of_tls(error),
                // The standard library's words for what the resolver says.
                None if error.to_string().starts_with("failed to lookup address") => Self::NoSuchHost,
                None if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    Self::Broken("the connection was closed in the middle of the answer".to_owned())
                }
                None => Self::Connection(error.to_string()),
            },
            ureq::Error::Protocol(error) => {
                Self::Broken(format!("the answer is not HTTP as it should be: {error}"))
            }
            other => Self::Connection(other.to_string()),
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(certificate) = error else {
            return Self::Connection(error.to_string());
        };
        Self::Certificate(match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "the server's certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "the server's certificate is not valid yet".to_owned()
            }
            CertificateError::UnknownIssuer => {
                "the server's certificate is self-signed or from an unknown authority".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "the server's certificate is for another name".to_owned()
            }
            // A certificate that signed itself is mostly made as an authority's, and this is refused first.
            CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
                "the server's certificate is self-signed or from an unknown authority".to_owned()
            }
            _ => error.to_string(),
        })
    }

    /// The fault of the Backend API that it is.
    pub fn fault(&self, request: &str) -> ApiFault {
        let (kind, hint) = match self {
            Self::Timeout(_) => (
                FaultKind::Later,
                "It is tried again by itself. If it lasts, check that the database server can reach Clerk, or raise clerk.api_timeout.",
            ),
            Self::TooLong(_) => (
                FaultKind::TooLarge,
                "Objects of this size cannot be mirrored: make their metadata smaller.",
            ),
            Self::NoSuchHost => (
                FaultKind::Later,
                "Check api_url of the instance, and that the database server can look names up; if it must use a proxy, set \
                 clerk.http_proxy.",
            ),
            Self::Certificate(_) => (
                FaultKind::Final,
                "Check the server's clock, api_url of the instance, and whether something between intercepts https; its authority can \
                 be trusted with clerk.http_ca_file.",
            ),
            Self::Connection(_) | Self::Broken(_) => (
                FaultKind::Later,
                "It is tried again by itself. If it lasts, check that the database server can reach api_url of the instance; if it must \
                 use a proxy, set clerk.http_proxy.",
            ),
            Self::Settings(_) => (
                FaultKind::Final,
                "Check api_url of the instance and the settings clerk.http_ca_file, clerk.http_proxy and clerk.allow_http_loopback.",
            ),
        };
        let cause = if matches!(self, Self::Settings(_)) {
            Cause::Settings
        } else {
            Cause::Network
        };
        ApiFault::new(kind, format!("{request} failed: {self}"), hint).caused_by(cause)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout(milliseconds) => write!(f, "no complete answer within {milliseconds} ms"),
            Self::TooLong(bytes) => write!(f, "the answer is longer than {bytes} bytes"),
            Self::NoSuchHost => f.write_str("the host name does not resolve"),
            Self::Certificate(what) | Self::Connection(what) | Self::Broken(what) | Self::Settings(what) => {
                f.write_str(what)
            }
        }
    }
}
