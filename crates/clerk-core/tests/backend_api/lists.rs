//! How each list is asked for: `bapi/2026-05-12.yml` of Clerk's OpenAPI specification.

use clerk_core::backend_api::{Listing, MAX_IDS, Walk, request_url};
use clerk_core::mirror::Resource;

fn url(listing: Listing) -> String {
    let walk = Walk::new(listing);
    request_url("", walk.listing().path(), &walk.query())
}

#[test]
fn lists_are_asked_for_as_the_specification_says() {
    let all = |resource| Listing::all(resource).map(url);
    let expected = [
        (Resource::Users, "/users?order_by=%2Bcreated_at&limit=500"),
        (
            Resource::Organizations,
            "/organizations?include_members_count=true&order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::OrganizationMemberships,
            "/organization_memberships?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::OrganizationInvitations,
            "/organization_invitations?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::OrganizationDomains,
            "/organization_domains?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::Invitations,
            "/invitations?paginated=true&order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::Roles,
            "/organization_roles?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::Permissions,
            "/organization_permissions?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::WaitlistEntries,
            "/waitlist_entries?order_by=%2Bcreated_at&limit=500",
        ),
        (
            Resource::SubscriptionItems,
            "/billing/subscription_items?paginated=true&include_free=true&limit=500",
        ),
    ];
    for resource in Resource::ALL {
        let listed = expected
            .iter()
            .find(|(known, _)| known == resource)
            .map(|(_, url)| (*url).to_owned());
        assert_eq!(all(*resource), listed, "{resource:?}");
    }
    let newest = |resource| Listing::newest_first(resource).map(url);
    assert_eq!(
        newest(Resource::Users).as_deref(),
        Some("/users?order_by=-updated_at&limit=500")
    );
    assert_eq!(
        newest(Resource::Roles).as_deref(),
        Some("/organization_roles?order_by=-created_at&limit=500")
    );
}

#[test]
fn parts_of_paths_cannot_break_out() {
    assert_eq!(
        url(Listing::memberships_of_user("user_1/../x?y=1")),
        "/users/user_1%2F..%2Fx%3Fy%3D1/organization_memberships?limit=500"
    );
    assert_eq!(
        Listing::subscription_path("user_1"),
        "/users/user_1/billing/subscription"
    );
    assert_eq!(
        Listing::subscription_path("org_ 1"),
        "/organizations/org_%201/billing/subscription"
    );
}

#[test]
fn ids_are_filters() {
    let ids: Vec<String> = (0..150).map(|number| format!("user_{number}")).collect();
    let users = url(Listing::with_ids(Resource::Users, &ids).expect("it takes ids"));
    assert_eq!(users.matches("user_id=").count(), MAX_IDS);
    assert!(
        users.starts_with("/users?user_id=user_0&user_id=user_1&"),
        "{users}"
    );
    assert_eq!(
        url(Listing::memberships("org_1", &ids[..2])),
        "/organizations/org_1/memberships?user_id=user_0&user_id=user_1&order_by=%2Bcreated_at&limit=500"
    );
    assert_eq!(Listing::with_ids(Resource::Roles, &ids), None);
}

#[test]
fn what_is_listed_in_parts_only_is_asked_for_part_by_part() {
    assert_eq!(
        url(Listing::sessions_of_user("user_1")),
        "/sessions?paginated=true&user_id=user_1&limit=500"
    );
    assert_eq!(
        url(Listing::statements()),
        "/billing/statements?paginated=true&limit=500"
    );
    assert_eq!(
        url(Listing::payment_attempts_of_statement("cstmt_1/../x")),
        "/billing/statements/cstmt_1%2F..%2Fx/payment_attempts?paginated=true&limit=500"
    );
    let organizations = Listing::with_ids(Resource::Organizations, &["org_1".to_owned()]);
    assert_eq!(
        organizations.map(url).as_deref(),
        Some(
            "/organizations?organization_id=org_1&include_members_count=true&order_by=%2Bcreated_at&limit=500"
        )
    );
}

#[test]
fn statements_are_sorted_by_their_own_time() {
    let mut walk = Walk::new(Listing::statements());
    let body = r#"{"data": [{"id": "cstmt_1", "timestamp": 1700000000000}], "total_count": 1}"#;
    let answered = walk.read(body).expect("it is a list");
    walk.advance(&answered, 0);
    assert_eq!(walk.edge(), Some(1_700_000_000_000_000));
    assert!(walk.is_complete());
}
