//! Organizations, memberships, invitations into them, domains, roles and permissions.

use clerk_core::mirror::Resource::{
    OrganizationDomains, OrganizationInvitations, OrganizationMemberships, Organizations, Permissions, Roles,
    Users,
};
use serde_json::{Value, json};

use crate::reading::{
    assert_alive, columns, data, everything, is_placeholder, member, observe, observe_with, rows, told,
};
use crate::samples::{
    event, membership, organization, organization_domain, organization_invitation, permission, role, with,
    without,
};

#[test]
fn an_organization_event_fills_the_organizations_row() {
    for event_type in ["organization.created", "organization.updated"] {
        let observations = observe(&event(event_type, organization("org_1")));
        assert_eq!(rows(&observations), [(Organizations, "org_1")], "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "name": "Acme", "slug": "acme", "image_url": "https://img.example.com/acme.png", "members_count": 3,
            "max_allowed_memberships": 5, "public_metadata": {"tier": "gold"}, "created_by": "user_1",
            "private_metadata": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        assert_eq!(
            data(&observations[0]),
            without(organization("org_1"), "private_metadata")
        );
    }
}

#[test]
fn an_organization_may_lack_what_is_optional() {
    let body = event(
        "organization.created",
        json!({"id": "org_1", "name": "Acme", "slug": null, "public_metadata": null}),
    );
    let expected = json!({
        "name": "Acme", "slug": null, "image_url": null, "members_count": null, "max_allowed_memberships": null,
        "public_metadata": null, "created_by": null, "private_metadata": null,
    });
    assert_eq!(columns(&observe(&body)[0]), expected);
}

#[test]
fn a_membership_event_fills_three_rows() {
    for event_type in ["organizationMembership.created", "organizationMembership.updated"] {
        let body = event(event_type, membership("orgmem_1", "org_1", "user_1"));
        let observations = observe(&body);
        assert_eq!(
            rows(&observations)[0],
            (OrganizationMemberships, "orgmem_1"),
            "{event_type}"
        );
        assert_alive(&observations[0]);
        let expected = json!({
            "organization_id": "org_1", "user_id": "user_1", "role": "org:admin", "role_name": "Admin",
            "permissions": ["org:sys_profile:manage", "org:reports:read"], "public_metadata": {"desk": 4},
            "private_metadata": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = with(
            without(membership("orgmem_1", "org_1", "user_1"), "private_metadata"),
            json!({"organization": {"id": "org_1"}, "public_user_data": {"user_id": "user_1"}}),
        );
        assert_eq!(data(&observations[0]), kept);

        let organization = told(&observations, Organizations, "org_1");
        assert_alive(organization);
        assert_eq!(columns(organization)["name"], "Acme");
        assert!(
            is_placeholder(&observations, Users, "user_1"),
            "public_user_data is no user"
        );
    }
}

#[test]
fn private_metadata_of_organizations_and_members_is_kept_on_request() {
    let observations = observe_with(
        &event(
            "organizationMembership.created",
            membership("orgmem_1", "org_1", "user_1"),
        ),
        &everything(),
    );
    assert_eq!(
        member(&observations[0], "private_metadata"),
        Some(json!({"salary": 1}))
    );
    let organization = told(&observations, Organizations, "org_1");
    assert_eq!(
        member(organization, "private_metadata"),
        Some(json!({"crm": "c-1"}))
    );
}

#[test]
fn an_embedded_organization_without_version_is_a_placeholder() {
    let bare = json!({"organization": {"id": "org_1", "name": "Acme"}});
    let body = event(
        "organizationMembership.created",
        with(membership("orgmem_1", "org_1", "user_1"), bare),
    );
    let observations = observe(&body);
    assert!(is_placeholder(&observations, Organizations, "org_1"));
    assert_eq!(columns(&observations[0])["organization_id"], "org_1");
}

#[test]
fn roles_are_kept_as_they_are_sent() {
    for role in ["admin", "basic_member", "org:admin", "org:Über"] {
        let sent = with(membership("orgmem_1", "org_1", "user_1"), json!({"role": role}));
        let observations = observe(&event("organizationMembership.updated", sent));
        assert_eq!(columns(&observations[0])["role"], role);
        assert_eq!(data(&observations[0])["role"], role);
    }
}

#[test]
fn an_organization_invitation_event_fills_its_row() {
    for (event_type, changes, user_id) in [
        ("organizationInvitation.created", json!({}), Value::Null),
        (
            "organizationInvitation.revoked",
            json!({"status": "revoked"}),
            Value::Null,
        ),
        (
            "organizationInvitation.accepted",
            json!({"status": "accepted", "user_id": "user_2"}),
            json!("user_2"),
        ),
    ] {
        let sent = with(organization_invitation(), changes);
        let observations = observe(&event(event_type, sent.clone()));
        assert_eq!(
            rows(&observations)[0],
            (OrganizationInvitations, "orginv_1"),
            "{event_type}"
        );
        assert_alive(&observations[0]);
        let expected = json!({
            "organization_id": "org_1", "email_address": "new@example.com", "role": "org:member",
            "role_name": "Member", "status": sent["status"], "inviter_id": "user_1", "user_id": user_id,
            "expires_at": 1_746_868_393_626_i64, "public_metadata": {"team": "red"},
            "private_metadata": null,
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = with(
            without(without(sent, "url"), "private_metadata"),
            json!({"public_inviter_data": {"user_id": "user_1"}}),
        );
        assert_eq!(data(&observations[0]), kept);
        assert!(is_placeholder(&observations, Organizations, "org_1"));
        assert!(is_placeholder(&observations, Users, "user_1"), "the inviter");
        assert_eq!(is_placeholder(&observations, Users, "user_2"), !user_id.is_null());
    }
}

#[test]
fn a_domain_event_fills_its_row() {
    for event_type in ["organizationDomain.created", "organizationDomain.updated"] {
        let observations = observe(&event(event_type, organization_domain()));
        assert_eq!(
            rows(&observations),
            [(OrganizationDomains, "orgdmn_1"), (Organizations, "org_1")],
            "{event_type}"
        );
        assert_alive(&observations[0]);
        let expected = json!({
            "organization_id": "org_1", "name": "example.com", "enrollment_mode": "automatic_invitation",
            "affiliation_email_address": "boss@example.com", "affiliation_verified": true,
            "ownership_verified": false, "total_pending_invitations": 2, "total_pending_suggestions": 1,
        });
        assert_eq!(columns(&observations[0]), expected);
        let kept = with(organization_domain(), json!({"public_organization_data": {}}));
        assert_eq!(data(&observations[0]), kept);
        assert!(is_placeholder(&observations, Organizations, "org_1"));
    }
}

#[test]
fn a_domain_may_never_have_been_verified() {
    let never = json!({"affiliation_verification": null, "ownership_verification": null, "affiliation_email_address": null});
    let columns = columns(
        &observe(&event(
            "organizationDomain.created",
            with(organization_domain(), never),
        ))[0],
    );
    assert_eq!(columns["affiliation_verified"], Value::Null);
    assert_eq!(columns["ownership_verified"], Value::Null);
}

#[test]
fn a_role_event_fills_the_role_and_its_permissions() {
    for event_type in ["role.created", "role.updated"] {
        let observations = observe(&event(event_type, role()));
        assert_eq!(
            rows(&observations),
            [
                (Roles, "role_1"),
                (Permissions, "perm_1"),
                (Permissions, "perm_2")
            ],
            "{event_type}"
        );
        for observation in &observations {
            assert_alive(observation);
        }
        let expected = json!({
            "key": "org:auditor", "name": "Auditor", "description": null, "is_creator_eligible": true,
            "permissions": ["org:reports:read", "org:audit:read"],
        });
        assert_eq!(columns(&observations[0]), expected);
        let cut =
            json!([{"id": "perm_1", "key": "org:reports:read"}, {"id": "perm_2", "key": "org:audit:read"}]);
        assert_eq!(data(&observations[0]), with(role(), json!({"permissions": cut})));
        assert_eq!(columns(&observations[2])["key"], "org:audit:read");
    }
}

#[test]
fn a_role_may_have_no_permissions() {
    let none = observe(&event("role.updated", with(role(), json!({"permissions": []}))));
    assert_eq!(columns(&none[0])["permissions"], json!([]));
    let null = observe(&event("role.updated", with(role(), json!({"permissions": null}))));
    assert_eq!(columns(&null[0])["permissions"], Value::Null);
    assert_eq!(data(&null[0])["permissions"], Value::Null);
}

#[test]
fn a_permission_event_fills_its_row() {
    for event_type in ["permission.created", "permission.updated"] {
        let observations = observe(&event(event_type, permission("perm_1", "org:reports:read")));
        assert_eq!(rows(&observations), [(Permissions, "perm_1")], "{event_type}");
        assert_alive(&observations[0]);
        let expected = json!({
            "key": "org:reports:read", "name": "Read reports", "description": "May read.", "type": "user",
        });
        assert_eq!(columns(&observations[0]), expected);
        assert_eq!(data(&observations[0]), permission("perm_1", "org:reports:read"));
    }
}
