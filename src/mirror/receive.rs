//! `receive_webhook` and `verify_webhook`: deliveries as Clerk sends them.

use std::borrow::Cow;
use std::time::Duration;

use clerk_core::{SigningSecret, Verified, WebhookHeaders, WebhookReason, WebhookRefusal, verify_webhook};
use pgrx::prelude::*;

use super::answer::Answer;
use super::deliver::{Reading, deliver};
use super::lock_budget::LockBudget;
use super::prepared::Prepared;
use super::setup::{self, KnownSecret, Setup};
use crate::call::Call;
use crate::error::Fault;
use crate::operations::vault;
use crate::pg::backend_local::BackendLocal;
use crate::pg::hidden_statement::HiddenStatement;
use crate::pg::writable::require_writable;
use crate::subtransaction::attempt;
use crate::{c_function, clock, json};

/// Long enough for an ordinary transaction to end; notes are not worth a longer wait.
const A_MOMENT: Duration = Duration::from_millis(50);

c_function!(clerk_receive_webhook, receive_webhook);
c_function!(clerk_verify_webhook, verify_webhook_sql);

/// `receive_webhook(body text, headers jsonb)`, called on NULL too.
fn receive_webhook(call: &Call) -> Option<pg_sys::Datum> {
    let _hidden = HiddenStatement::enter();
    require_writable(c"receive_webhook()");
    let setup = setup::current();
    let body = call.text(0).unwrap_or_default();
    let answer = match verify(&body, call.argument(1), &setup) {
        Err(refusal) => {
            note_rejection(refusal.reason);
            Answer::rejected(&refusal)
        }
        Ok((verified, secret)) => {
            note_use(secret);
            let fallback_at = verified.timestamp.saturating_mul(1_000_000);
            let reading = Reading::of(&body, verified.id, fallback_at, setup.source(&secret.issuer));
            deliver(reading, &setup)
        }
    };
    Some(answer.into_datum())
}

/// `verify_webhook(body text, headers jsonb)`, strict.
fn verify_webhook_sql(call: &Call) -> Option<pg_sys::Datum> {
    let _hidden = HiddenStatement::enter();
    let (body, headers) = (call.text(0)?, call.argument(1)?);
    let setup = setup::current();
    if let Err(refusal) = verify(&body, Some(headers), &setup) {
        Fault::from(refusal).raise();
    }
    match clerk_core::mirror::fit_json(&body) {
        Ok(event) => Some(json::to_datum(&json::to_jsonb(&event))),
        Err(error) => Fault::argument(
            format!("the signature is right, but the body is not JSON: {error}"),
            "Clerk sends JSON; look at what else signs with this secret.",
        )
        .raise(),
    }
}

fn verify<'s>(
    body: &str,
    headers: Option<pg_sys::Datum>,
    setup: &'s Setup,
) -> Result<(Verified, &'s KnownSecret), WebhookRefusal> {
    let headers = headers.map_or_else(
        || Cow::Borrowed("{}"),
        |headers| Cow::Owned(json::text_of(headers)),
    );
    let headers = WebhookHeaders::read(&headers)?;
    let now = clock::now_micros().div_euclid(1_000_000);
    let (in_vault, keys) = with_vault(setup);
    let unreadable = setup.secrets.len() - keys.len();
    let verified = verify_webhook(body.as_bytes(), &headers, &keys, now)
        .map_err(|refusal| tell_unreadable(refusal, unreadable))?;
    let signer = match verified.secret_index.checked_sub(setup.keys.len()) {
        None => &setup.secrets[verified.secret_index],
        Some(index) => in_vault[index],
    };
    Ok((verified, signer))
}

/// The refusal, which may have another cause than it seems where signing secrets could not be read. Whoever sent the delivery sees it, so
/// it does not name them.
fn tell_unreadable(mut refusal: WebhookRefusal, unreadable: usize) -> WebhookRefusal {
    let is_about_secrets = matches!(
        refusal.reason,
        WebhookReason::WebhookSignatureMismatch | WebhookReason::WebhookSecretMissing
    );
    if is_about_secrets && unreadable > 0 {
        let secrets = if unreadable == 1 {
            "signing secret"
        } else {
            "signing secrets"
        };
        refusal.message += &format!("; {unreadable} {secrets} could not be read from the vault");
        refusal.hint =
            "Run SELECT found, mend FROM clerk.doctor() WHERE \"check\" = 'usable' to see why.".to_owned();
    }
    refusal
}

/// The signing secrets, those in a vault at the end, without those that cannot be read.
fn with_vault(setup: &Setup) -> (Vec<&KnownSecret>, Cow<'_, [SigningSecret]>) {
    let value = |known: &KnownSecret| SigningSecret::parse(&vault::read(known.vault_name.as_deref()?)?).ok();
    let (known, values): (Vec<_>, Vec<_>) = setup.secrets[setup.keys.len()..]
        .iter()
        .filter_map(|known| Some((known, value(known)?)))
        .unzip();
    if known.is_empty() {
        return (known, Cow::Borrowed(&setup.keys));
    }
    (known, [setup.keys.clone(), values].concat().into())
}

static REJECTION: Prepared = Prepared::new(
    "INSERT INTO clerk.webhook_rejections (reason, minute) VALUES ($1, date_trunc('minute', clock_timestamp()))
     ON CONFLICT (reason, minute) DO NOTHING",
    &[pg_sys::TEXTOID],
);

/// Notes it once a minute: strangers cause rejections, and must not fill a table.
fn note_rejection(reason: WebhookReason) {
    // Somebody else is noting the same if this waits; that will do.
    let _ = attempt(|| {
        LockBudget::start(A_MOMENT);
        REJECTION.run(&[reason.as_str().into_datum()]);
    });
}

static USE: Prepared = Prepared::new(
    "INSERT INTO clerk.secret_uses AS u (kind, fingerprint, last_used_at) VALUES ('webhook_signing', $1, clock_timestamp())
     ON CONFLICT (kind, fingerprint) DO UPDATE SET last_used_at = excluded.last_used_at
     WHERE u.last_used_at <= excluded.last_used_at - interval '1 minute'",
    &[pg_sys::TEXTOID],
);

/// The secret whose use this backend noted last, and when in microseconds since 1970.
static NOTED: BackendLocal<Option<(String, i64)>> = BackendLocal::new(None);

/// Notes the use of a secret once a minute.
fn note_use(secret: &KnownSecret) {
    let now = clock::now_micros();
    let is_noted = NOTED.with(|noted| {
        let is_recent = |(fingerprint, at): &(String, i64)| {
            *fingerprint == secret.fingerprint && (0..60_000_000).contains(&(now - at))
        };
        let is_noted = noted.as_ref().is_some_and(is_recent);
        if !is_noted {
            *noted = Some((secret.fingerprint.clone(), now));
        }
        is_noted
    });
    if !is_noted {
        // Somebody else is noting the same if this waits; that will do.
        let _ = attempt(|| {
            LockBudget::start(A_MOMENT);
            USE.run(&[secret.fingerprint.as_str().into_datum()]);
        });
    }
}
