//! Every error and warning of ours: reason code, SQLSTATE, message and hint. The only place that raises.

use std::borrow::Cow;

use clerk_core::{Reason, Refusal, WebhookRefusal};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, function_name};

/// Something that went wrong, in the words of the person who has to mend it.
///
/// Never holds a secret or a whole token.
#[derive(Debug, Clone)]
pub struct Fault {
    sqlstate: PgSqlErrorCode,
    message: Cow<'static, str>,
    /// Clerk's reason code, alone, so that a client can branch on it.
    reason: Option<&'static str>,
    hint: Cow<'static, str>,
}

impl Fault {
    /// An argument that cannot be used (22023).
    pub fn argument(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message, hint)
    }

    /// The call is fine but something must be done first (55000).
    pub fn prerequisite(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            message,
            hint,
        )
    }

    /// The thing named does not exist (42704).
    pub fn missing(message: impl Into<Cow<'static, str>>, hint: impl Into<Cow<'static, str>>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT, message, hint)
    }

    pub fn new(
        sqlstate: PgSqlErrorCode,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            sqlstate,
            message: message.into(),
            reason: None,
            hint: hint.into(),
        }
    }

    pub fn with_reason(mut self, reason: Reason) -> Self {
        self.reason = Some(reason.as_str());
        self
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn sqlstate(&self) -> PgSqlErrorCode {
        self.sqlstate
    }

    /// Clerk's reason code, if there is one.
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Raises the fault as an ERROR; the statement ends here.
    pub fn raise(self) -> ! {
        self.report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }

    /// Tells the client without ending the statement.
    pub fn warn(self) {
        self.report(PgLogLevel::WARNING);
    }

    /// Tells only the server's log.
    pub fn log(self) {
        self.report(PgLogLevel::LOG_SERVER_ONLY);
    }

    fn report(self, level: PgLogLevel) {
        let mut report = ErrorReport::new(self.sqlstate, self.message, function_name!());
        if let Some(reason) = self.reason {
            report = report.set_detail(reason);
        }
        if !self.hint.is_empty() {
            report = report.set_hint(self.hint);
        }
        report.report(level);
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Fault::new(sqlstate(refusal.reason), refusal.message, refusal.hint).with_reason(refusal.reason)
    }
}

impl From<WebhookRefusal> for Fault {
    fn from(refusal: WebhookRefusal) -> Self {
        let sqlstate = PgSqlErrorCode::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
        Self {
            reason: Some(refusal.reason.as_str()),
            ..Fault::new(sqlstate, refusal.message, refusal.hint)
        }
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
