//! The check itself.

use aws_lc_rs::constant_time::verify_slices_are_equal;

use super::headers::WebhookHeaders;
use super::refusal::{WebhookReason, WebhookRefusal};
use super::secret::SigningSecret;
use crate::quote::quote;

/// Largest body that is looked at, in bytes. Standard Webhooks advises senders to stay below 20 kB.
pub const MAX_WEBHOOK_BYTES: usize = 1_048_576;

/// How far a delivery's timestamp and our clock may be apart, in seconds (Standard Webhooks' libraries and Svix's).
pub const WEBHOOK_TOLERANCE_SECONDS: i64 = 300;

const CLOCK_HINT: &str = "If the delivery is not an old one, compare the server's clock with the time of a time \
                          server. Deliveries that failed can be sent again from the Clerk Dashboard.";

/// A delivery that Clerk signed lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The id of the event: the same for every delivery of it, so that a doubled one can be told.
    pub id: String,
    /// When this delivery was signed, in whole seconds since 1970.
    pub timestamp: i64,
    /// Which of the secrets signed it; the first, if several did.
    pub secret_index: usize,
}

/// Verifies that `body`, byte for byte as it came, was signed with one of `secrets` within 300 s of `now_seconds`:
/// whole seconds since 1970, rounded down, as Svix's libraries count.
///
/// The time is judged last, unlike in those libraries. So the two reasons about time are given only for deliveries that
/// Clerk did sign and mean a replay or a wrong clock, and strangers learn nothing about ours. Judging it first would
/// save no work: whoever wants to cost us an HMAC just sends the present time.
///
/// # Errors
/// In this order: `webhook-too-large` above 1 MiB; `webhook-timestamp-invalid` when the timestamp is no
/// number of seconds;
/// `webhook-secret-missing` when `secrets` is empty; `webhook-signature-mismatch` when no `v1` signature is by one of
/// them; `webhook-timestamp-expired` and `webhook-timestamp-in-the-future`.
pub fn verify_webhook(
    body: &[u8],
    headers: &WebhookHeaders,
    secrets: &[SigningSecret],
    now_seconds: i64,
) -> Result<Verified, WebhookRefusal> {
    if body.len() > MAX_WEBHOOK_BYTES {
        return Err(too_large(body.len()));
    }
    let (digits, timestamp) = seconds(&headers.timestamp)?;
    let secret_index = signer(body, headers, digits, secrets)?;
    judge_time(timestamp, now_seconds)?;
    Ok(Verified {
        id: headers.id.clone(),
        timestamp,
        secret_index,
    })
}

fn too_large(bytes: usize) -> WebhookRefusal {
    WebhookRefusal::new(
        WebhookReason::WebhookTooLarge,
        format!("the body has {bytes} bytes, more than {MAX_WEBHOOK_BYTES}"),
        "Clerk's deliveries are far smaller. Forward the raw body and nothing else.",
    )
}

/// The whole seconds, as digits and as a number. What `i64` would accept beyond digits, a sign, no sender writes. A fraction
/// is dropped, and was not signed, as in the library that Clerk's SDK uses.
fn seconds(timestamp: &str) -> Result<(&str, i64), WebhookRefusal> {
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = match timestamp.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (timestamp, None),
    };
    let is_number = are_digits(whole) && fraction.is_none_or(are_digits);
    whole
        .parse()
        .ok()
        .filter(|_| is_number)
        .map(|number| (whole, number))
        .ok_or_else(|| {
            WebhookRefusal::new(
                WebhookReason::WebhookTimestampInvalid,
                format!(
                    "the timestamp {} is not a number of seconds since 1970",
                    quote(timestamp)
                ),
                "Forward Clerk's svix-timestamp unchanged.",
            )
        })
}

/// The index of the first secret that made one of the signatures.
///
/// Every secret and every signature is looked at, so that the time it takes does not tell which secret matched.
fn signer(
    body: &[u8],
    headers: &WebhookHeaders,
    seconds: &str,
    secrets: &[SigningSecret],
) -> Result<usize, WebhookRefusal> {
    if secrets.is_empty() {
        return Err(WebhookRefusal::new(
            WebhookReason::WebhookSecretMissing,
            "there is no webhook signing secret to verify deliveries with",
            "Pass the endpoint's Signing Secret (whsec_…) from the Clerk Dashboard to \
             clerk.add_webhook_signing_secret.",
        ));
    }
    // Of the other versions, v1a is an ed25519 signature. Clerk's endpoints have none.
    let signatures: Vec<&str> = headers
        .signature
        .split(' ')
        .filter_map(|entry| entry.strip_prefix("v1,"))
        .collect();
    if signatures.is_empty() {
        return Err(mismatch("the delivery has no v1 signature"));
    }
    let mut signer = None;
    for (index, secret) in secrets.iter().enumerate() {
        let expected = secret.sign(&headers.id, seconds, body);
        for signature in &signatures {
            if verify_slices_are_equal(signature.as_bytes(), expected.as_bytes()).is_ok() {
                signer = signer.or(Some(index));
            }
        }
    }
    signer.ok_or_else(|| {
        mismatch("the delivery is not signed with a configured signing secret, or was changed")
    })
}

fn mismatch(message: &str) -> WebhookRefusal {
    WebhookRefusal::new(
        WebhookReason::WebhookSignatureMismatch,
        message,
        "Compare the endpoint's Signing Secret in the Clerk Dashboard with the configured ones. Forward the raw body: \
         JSON that was parsed and written again has other bytes.",
    )
}

fn judge_time(timestamp: i64, now: i64) -> Result<(), WebhookRefusal> {
    let age = now.saturating_sub(timestamp);
    let (reason, side) = if age > WEBHOOK_TOLERANCE_SECONDS {
        (WebhookReason::WebhookTimestampExpired, "behind")
    } else if age < -WEBHOOK_TOLERANCE_SECONDS {
        (WebhookReason::WebhookTimestampInTheFuture, "ahead of")
    } else {
        return Ok(());
    };
    let by = age.unsigned_abs();
    let message = format!(
        "the timestamp {timestamp} is {by} s {side} the server's clock, more than {WEBHOOK_TOLERANCE_SECONDS} s"
    );
    Err(WebhookRefusal::new(reason, message, CLOCK_HINT))
}
