//! The signature check of deliveries. Vectors are those that Svix and Standard Webhooks publish with their libraries;
//! the codes are those of our manual.

mod headers;
mod refusal;
mod secret;
mod signature;
mod time;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clerk_core::{SigningSecret, Verified, WebhookHeaders, WebhookRefusal, verify_webhook};
use serde_json::json;

/// The published secret, delivery and signature that all libraries of Standard Webhooks test with.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
pub const TIMESTAMP: i64 = 1_614_265_330;
pub const BODY: &str = r#"{"test": 2432232314}"#;
pub const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

/// The published secret of Svix's own Rust library.
pub const OTHER_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// An HMAC of our own, from RFC 2104, to sign with what the library under test did not make.
pub fn sign(secret: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut block = [0; 64];
    match secret.len() {
        length @ ..=64 => block[..length].copy_from_slice(secret),
        _ => block[..32].copy_from_slice(digest(&SHA256, secret).as_ref()),
    }
    let content = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let inner = digest(&SHA256, &[&block.map(|byte| byte ^ 0x36), &content[..]].concat());
    let outer = digest(
        &SHA256,
        &[&block.map(|byte| byte ^ 0x5c), inner.as_ref()].concat(),
    );
    format!("v1,{}", STANDARD.encode(outer))
}

pub fn headers(id: &str, timestamp: impl ToString, signature: &str) -> WebhookHeaders {
    let headers =
        json!({"svix-id": id, "svix-timestamp": timestamp.to_string(), "svix-signature": signature});
    WebhookHeaders::read(&headers.to_string()).unwrap()
}

pub fn published() -> WebhookHeaders {
    headers(ID, TIMESTAMP, SIGNATURE)
}

pub fn secrets(texts: &[&str]) -> Vec<SigningSecret> {
    texts
        .iter()
        .map(|text| SigningSecret::parse(text).unwrap())
        .collect()
}

/// The published delivery's verdict with another body, other headers or other secrets, at the second it was signed.
pub fn verify(body: &str, headers: &WebhookHeaders, texts: &[&str]) -> Result<Verified, WebhookRefusal> {
    verify_webhook(body.as_bytes(), headers, &secrets(texts), TIMESTAMP)
}

pub fn code<T>(outcome: Result<T, WebhookRefusal>) -> &'static str {
    outcome.map_or_else(|refusal| refusal.reason.as_str(), |_| "ok")
}
