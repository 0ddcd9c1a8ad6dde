//! Origins and issuers as people paste them.

use clerk_core::{check_issuer, check_origin, is_development_address};

/// RFC 6454 §6.2: what browsers send.
#[test]
fn origins_that_browsers_send_are_accepted() {
    for good in [
        "https://app.example.com",
        "http://localhost:3000",
        "https://app.example.com:8443",
        "http://[::1]:3000",
        "https://xn--bcher-kva.example",
        "chrome-extension://aapbdbdomjkkjkaonfhkkikfgjllcleb",
        "capacitor://localhost",
    ] {
        assert_eq!(check_origin(good), Ok(()), "{good}");
    }
}

#[test]
fn what_no_origin_equals_is_refused_with_the_right_form() {
    for (wrong, fault, hint) in [
        (
            "https://app.example.com/",
            "has something behind the host",
            "Write 'https://app.example.com'.",
        ),
        (
            "https://app.example.com/dashboard",
            "has something behind the host",
            "Write 'https://app.example.com'.",
        ),
        (
            "https://app.example.com?a=b",
            "has something behind the host",
            "Write 'https://app.example.com'.",
        ),
        (
            "app.example.com",
            "has no scheme",
            "Write 'https://app.example.com'.",
        ),
        (
            "localhost:3000/x",
            "has no scheme",
            "Write 'https://localhost:3000'.",
        ),
        (
            "https://App.example.com",
            "has capital letters",
            "Write 'https://app.example.com'.",
        ),
        (
            "HTTPS://app.example.com",
            "has capital letters",
            "Write 'https://app.example.com'.",
        ),
        (
            "https://app.example.com:443",
            "names the port that goes without saying",
            "Write 'https://app.example.com'.",
        ),
        (
            "http://localhost:80",
            "names the port that goes without saying",
            "Write 'http://localhost'.",
        ),
        (
            "https://ada@app.example.com",
            "has a user name",
            "Write 'https://app.example.com'.",
        ),
        (
            "'https://app.example.com'",
            "has something around it",
            "Write 'https://app.example.com'.",
        ),
        (
            "https://a.example.com,https://app.example.com/",
            "holds several origins in one text",
            "Write ARRAY['https://a.example.com', 'https://app.example.com'].",
        ),
        (
            "[\"https://a.example.com\", \"b.example.com\"]",
            "holds several origins in one text",
            "Write ARRAY['https://a.example.com', 'https://b.example.com'].",
        ),
        (
            "",
            "is empty",
            "Leave it out. An empty list accepts every origin.",
        ),
    ] {
        let error = check_origin(wrong).expect_err(wrong);
        assert_eq!(
            (error.fault.as_str(), error.hint.as_str()),
            (fault, hint),
            "{wrong}"
        );
    }
    for wrong in ["*", "https://*.example.com", "https://app-*.example.com"] {
        assert!(
            check_origin(wrong).expect_err(wrong).fault.contains("wildcard"),
            "{wrong}"
        );
    }
    for wrong in [
        "https://",
        "file:///x",
        "https://b\u{fc}cher.example",
        "https://a:b:c",
        "https://app.example.com:99999",
        ",",
        "://",
    ] {
        assert!(check_origin(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn issuers_as_clerk_writes_them_are_accepted() {
    for good in [
        "https://clerk.example.com",
        "https://happy-otter-12.clerk.accounts.dev",
        "https://example.com/__clerk",
        "http://127.0.0.1:8080",
        "https://clerk.example.com:8443",
    ] {
        assert_eq!(check_issuer(good), Ok(()), "{good}");
    }
}

#[test]
fn other_addresses_of_clerks_are_refused_with_the_issuer_meant() {
    for (wrong, fault, hint) in [
        (
            "https://happy-otter-12.clerk.accounts.dev/.well-known/jwks.json",
            "is the address of a key set",
            "Write 'https://happy-otter-12.clerk.accounts.dev'.",
        ),
        (
            "https://Clerk.example.com/.well-known/openid-configuration",
            "is the address of a document about the instance",
            "Write 'https://clerk.example.com'.",
        ),
        (
            "https://Happy-Otter-12.clerk.accounts.dev",
            "is not written as Clerk writes it in tokens",
            "Write 'https://happy-otter-12.clerk.accounts.dev'.",
        ),
        (
            "https://happy-otter-12.accounts.dev/sign-in",
            "is the Account Portal of a development instance",
            "Write 'https://happy-otter-12.clerk.accounts.dev'.",
        ),
        (
            "https://clerk.example.com/v1/client",
            "is an address inside the Frontend API",
            "Write 'https://clerk.example.com'.",
        ),
        (
            "https://clerk.example.com:443",
            "is not written as Clerk writes it in tokens",
            "Write 'https://clerk.example.com'.",
        ),
        (
            "https://clerk.example.com/",
            "is not written as Clerk writes it in tokens",
            "Write 'https://clerk.example.com'.",
        ),
        (
            "https://clerk.example.com?x=1",
            "is not written as Clerk writes it in tokens",
            "Write 'https://clerk.example.com'.",
        ),
        (
            "clerk.example.com",
            "is not a URL",
            "Write 'https://clerk.example.com'.",
        ),
    ] {
        let error = check_issuer(wrong).expect_err(wrong);
        assert_eq!(
            (error.fault.as_str(), error.hint.as_str()),
            (fault, hint),
            "{wrong}"
        );
    }
    for (wrong, fault) in [
        (
            "https://dashboard.clerk.com/apps/app_1/instances/ins_1",
            "is a page of Clerk's dashboard",
        ),
        (
            "https://api.clerk.com/v1/jwks",
            "is Clerk's Backend API, the same for every instance",
        ),
        ("https://clerk.com", "is Clerk's own site"),
        ("", "is empty"),
    ] {
        let error = check_issuer(wrong).expect_err(wrong);
        assert_eq!(error.fault, fault);
        assert!(
            error.hint.contains("Frontend API URL") && error.hint.contains("publishable_key"),
            "{}",
            error.hint
        );
    }
}

#[test]
fn development_is_told_by_the_host() {
    assert!(is_development_address(
        "https://happy-otter-12.clerk.accounts.dev"
    ));
    assert!(is_development_address(
        "https://happy-otter-12.clerk.accounts.dev/path"
    ));
    assert!(!is_development_address(
        "https://clerk.example.com/.clerk.accounts.dev"
    ));
    assert!(!is_development_address("https://clerk.example.com"));
}
