//! Every error and warning of ours: reason code, SQLSTATE, message and hint. The only place that raises.
//!
//! An error's LOCATION is the line that makes the [`Fault`], so every function on the way there has `#[track_caller]`.

use std::borrow::Cow;

use clerk_core::{Reason, Refusal, WebhookRefusal};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};

/// Something that went wrong, in the words of the person who has to mend it.
///
/// Never holds a secret or a whole token.
#[derive(Debug)]
pub struct Fault {
    sqlstate: PgSqlErrorCode,
    /// Message, DETAIL, HINT and LOCATION.
    report: ErrorReport,
    /// Clerk's reason code. It is all of DETAIL, so that a client can branch on it.
    reason: Option<&'static str>,
}

impl Fault {
    /// An argument that cannot be used (22023).
    #[track_caller]
    pub fn argument(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, hint)
    }

    /// An argument, or an element of it, that is NULL and must not be (22004).
    #[track_caller]
    pub fn null(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, message, hint)
    }

    /// A bug of ours (XX000).
    #[track_caller]
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            PgSqlErrorCode::ERRCODE_INTERNAL_ERROR,
            message,
            "This is a bug of clerk_sync. Report it with the statement and the line that \\errverbose shows as LOCATION.",
        )
    }

    /// The call is fine but something must be done first (55000).
    #[track_caller]
    pub fn prerequisite(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            message,
            hint,
        )
    }

    /// The thing named does not exist (42704).
    #[track_caller]
    pub fn missing(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, message, hint)
    }

    /// An error with this SQLSTATE. An empty hint is none.
    #[track_caller]
    pub fn new(
        sqlstate: PgSqlErrorCode,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        // The name of the calling function is not to be had; the library says at least whose file it is.
        let report = ErrorReport::new(sqlstate, message, env!("CARGO_PKG_NAME"));
        let hint: Cow<'static, str> = hint.into();
        Self {
            sqlstate,
            report: if hint.is_empty() {
                report
            } else {
                report.set_hint(hint)
            },
            reason: None,
        }
    }

    /// Adds Clerk's reason code.
    pub fn with_reason(self, reason: Reason) -> Self {
        self.with_code(reason.as_str())
    }

    fn with_code(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self.with_detail(reason)
    }

    /// Adds a DETAIL.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.report = self.report.set_detail(detail);
        self
    }

    pub fn message(&self) -> &str {
        self.report.message()
    }

    pub fn sqlstate(&self) -> PgSqlErrorCode {
        self.sqlstate
    }

    /// Clerk's reason code, if there is one.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    pub fn hint(&self) -> &str {
        self.report.hint().unwrap_or_default()
    }

    /// Raises the fault as an ERROR; the statement ends here.
    pub fn raise(self) -> ! {
        self.report.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    /// Tells the client without ending the statement.
    pub fn warn(self) {
        self.report.report(PgLogLevel::WARNING);
    }

    /// Tells only the server's log.
    pub fn log(self) {
        self.report.report(PgLogLevel::LOG_SERVER_ONLY);
    }
}

impl From<Refusal> for Fault {
    #[track_caller]
    fn from(refusal: Refusal) -> Self {
        Fault::new(sqlstate(refusal.reason), refusal.message, refusal.hint).with_reason(refusal.reason)
    }
}

impl From<WebhookRefusal> for Fault {
    #[track_caller]
    fn from(refusal: WebhookRefusal) -> Self {
        let sqlstate = PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
        Fault::new(sqlstate, refusal.message, refusal.hint).with_code(refusal.reason.as_str())
    }
}

/// A refused token is class 28, so that PostgREST answers 403; trouble in reaching Clerk is class 08 (503).
fn sqlstate(reason: Reason) -> PgSqlErrorCode {
    match reason {
        Reason::JwkRemoteFailedToLoad => PgSqlErrorCode::ERRCODE_CONNECTION_FAILURE,
        Reason::JwkRemoteInvalid | Reason::JwkRemoteMissing => {
            PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE
        }
        _ => PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION,
    }
}
