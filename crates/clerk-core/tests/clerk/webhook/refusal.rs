//! Codes and HTTP statuses, as the manual lists them.

use clerk_core::{WebhookReason, WebhookRefusal};

#[test]
fn every_reason_has_its_code_and_status() {
    let told: Vec<_> = WebhookReason::ALL
        .iter()
        .map(|reason| (reason.to_string(), reason.http_status()))
        .collect();
    let documented = [
        ("webhook-headers-missing", 400),
        ("webhook-headers-invalid", 400),
        ("webhook-timestamp-invalid", 400),
        ("webhook-timestamp-expired", 400),
        ("webhook-timestamp-in-the-future", 400),
        ("webhook-signature-mismatch", 401),
        ("webhook-too-large", 413),
        ("webhook-secret-missing", 500),
    ];
    assert_eq!(told, documented.map(|(code, status)| (code.to_owned(), status)));
}

#[test]
fn a_refusal_shows_code_and_message() {
    let refusal = WebhookRefusal::new(WebhookReason::WebhookTooLarge, "2 MiB", "forward less");
    assert_eq!(refusal.to_string(), "webhook-too-large: 2 MiB");
}
