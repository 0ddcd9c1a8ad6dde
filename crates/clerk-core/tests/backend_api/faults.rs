//! What went wrong is told once, plainly, with the next step.

use clerk_core::backend_api::{ApiFault, Cause, FaultKind, Refusing};

const REQUEST: &str = "GET https://api.clerk.com/v1/users";

fn fault(status: u16, body: &str) -> ApiFault {
    Refusing {
        request: REQUEST,
        status,
        body,
        ray: Some("8c5f3a1b2d4e6f70-FRA"),
        location: None,
        observed_at: Some(1_700_000_000_000_000),
    }
    .fault()
}

/// The body of an error of Clerk's (facts of Clerk, 6).
fn clerk(code: &str) -> String {
    format!(
        r#"{{"errors": [{{"message": "short", "long_message": "The long story.", "code": "{code}", "meta": {{}}}}, {{"message": "other"}}],
            "clerk_trace_id": "0123456789abcdef0123456789abcdef"}}"#
    )
}

#[test]
fn clerks_error_becomes_one_sentence() {
    let fault = fault(401, &clerk("clerk_key_invalid"));
    assert_eq!(
        fault.message,
        r#"GET https://api.clerk.com/v1/users was answered with HTTP 401: "The long story." (clerk_key_invalid)"#
    );
    assert_eq!(fault.code.as_deref(), Some("clerk_key_invalid"));
    assert_eq!(fault.status, Some(401));
    assert_eq!(
        fault.trace_id.as_deref(),
        Some("0123456789abcdef0123456789abcdef")
    );
    assert_eq!(fault.observed_at, Some(1_700_000_000_000_000));
    assert!(fault.hint.contains("set_secret_key"), "{}", fault.hint);
    assert!(
        fault
            .to_string()
            .ends_with("(trace id 0123456789abcdef0123456789abcdef)")
    );
}

#[test]
fn kinds_follow_from_the_status_and_from_who_answered() {
    use FaultKind::{Final, Later, NotFound};
    let by_clerk = [
        (400, Final),
        (401, Final),
        (402, Final),
        (403, Final),
        (404, NotFound),
        (408, Later),
        (410, Final),
        (422, Final),
        (429, Later),
        (500, Later),
        (502, Later),
        (503, Later),
        (504, Later),
    ];
    for (status, kind) in by_clerk {
        let fault = fault(status, &clerk("some_code"));
        assert_eq!(fault.kind, kind, "{status}");
        assert!(!fault.hint.is_empty());
    }
    // Somebody in between: their 404 is not Clerk's word that somebody is gone.
    for (status, kind) in [
        (301, Final),
        (401, Final),
        (403, Final),
        (404, Final),
        (429, Later),
        (502, Later),
        (522, Later),
        (599, Later),
    ] {
        assert_eq!(
            fault(status, "<html><body>x</body></html>").kind,
            kind,
            "{status}"
        );
    }
    for body in [
        r#"{"errors": []}"#,
        r#"{"error": "not found"}"#,
        r#"{"errors": "x"}"#,
        "[]",
        "null",
    ] {
        assert_eq!(fault(404, body).kind, Final, "{body}");
    }
}

#[test]
fn other_bodies_are_described_and_traced_by_their_ray() {
    let html = fault(502, "  <!DOCTYPE HTML>\n<html><title>Bad gateway</title></html>");
    assert_eq!(
        html.message,
        "GET https://api.clerk.com/v1/users was answered with HTTP 502 and a page in HTML"
    );
    assert_eq!(html.trace_id.as_deref(), Some("8c5f3a1b2d4e6f70-FRA"));
    assert_eq!(html.code, None);
    let long = fault(500, &"x".repeat(1_000_000));
    assert!(long.message.len() < 300, "{}", long.message.len());
    assert!(fault(503, "").message.ends_with("HTTP 503 and nothing else"));
    let broken = fault(500, r#"{"errors": [{"message"#);
    assert_eq!(broken.kind, FaultKind::Later);
    let strange = fault(
        422,
        r#"{"errors": [{"message": "a\u0000\n\u202eb", "code": "c\nd"}]}"#,
    );
    assert!(
        !strange.message.contains(['\n', '\0', '\u{202e}']),
        "{:?}",
        strange.message
    );
}

#[test]
fn a_redirection_names_its_goal() {
    let fault = Refusing {
        request: REQUEST,
        status: 302,
        body: "",
        ray: None,
        location: Some("https://login.example.com/"),
        observed_at: None,
    }
    .fault();
    assert_eq!(fault.kind, FaultKind::Final);
    assert!(
        fault
            .message
            .ends_with(r#"HTTP 302, a redirection to "https://login.example.com/""#),
        "{}",
        fault.message
    );
    assert!(fault.hint.contains("api_url"), "{}", fault.hint);
}

#[test]
fn the_cause_is_what_has_to_be_looked_at() {
    for (status, by_clerk, otherwise) in [
        (401, Cause::SecretKey, Cause::Address),
        (403, Cause::NotAllowed, Cause::Address),
        (404, Cause::NotFound, Cause::Address),
        (422, Cause::Request, Cause::Address),
        (429, Cause::TooManyRequests, Cause::TooManyRequests),
        (500, Cause::Clerk, Cause::Clerk),
        (302, Cause::Address, Cause::Address),
    ] {
        assert_eq!(fault(status, &clerk("some_code")).cause, by_clerk, "{status}");
        assert_eq!(fault(status, "<html>").cause, otherwise, "{status}");
    }
    assert_eq!(ApiFault::new(FaultKind::Later, "", "").cause, Cause::Network);
}
