//! Secrets of ours that Supabase Vault keeps: who reads them, and why one cannot be read.

use clerk_tests::Sql;

use super::breakages::fill_in;
use super::project::Finding;
use super::supabase::beside_supabase;

/// Whoever reads the vault reads Clerk's secrets in it.
#[test]
fn who_may_read_the_vault_is_told_where_a_secret_is_in_it() {
    let project = beside_supabase();
    let rows = || {
        let all = project.doctor();
        let of = |one: &Finding| one.area == "secrets" && one.check == "granted to nobody";
        all.into_iter()
            .filter(of)
            .map(|one| (one.status, one.found))
            .collect::<Vec<_>>()
    };
    let nobody = ("ok".to_owned(), "nobody".to_owned());
    assert_eq!(rows(), std::slice::from_ref(&nobody));
    let mut superuser = project.superuser();
    superuser
        .execute("SELECT vault.create_secret($1, 'hook')", &[&project.secret()])
        .expect("the vault takes it");
    project
        .owner()
        .run("SELECT clerk.add_webhook_signing_secret('vault:hook')");
    let told = |status: &str, who: &str| {
        (
            status.to_owned(),
            format!("vault.decrypted_secrets, where Clerk's secrets are too: {who}"),
        )
    };
    assert_eq!(rows(), [nobody.clone(), told("note", "service_role")]);
    // Each right alone is not enough.
    superuser.run("GRANT USAGE ON SCHEMA vault TO PUBLIC; GRANT SELECT ON vault.decrypted_secrets TO anon");
    assert_eq!(rows(), [nobody.clone(), told("note", "service_role")]);
    // Also by the right to read everything.
    superuser.run("GRANT EXECUTE ON FUNCTION vault._crypto_aead_det_decrypt TO PUBLIC");
    assert_eq!(
        rows(),
        [
            nobody.clone(),
            told("failed", "anon, service_role, supabase_read_only_user")
        ]
    );
    project.complaints()[0].mend(&project);
    assert_eq!(
        rows(),
        [nobody, told("note", "service_role, supabase_read_only_user")]
    );
}

/// What went wrong with a secret in the vault, how to look, and never that the reference be dropped.
#[test]
fn an_unreadable_secret_in_the_vault_is_told_by_its_cause() {
    let project = beside_supabase();
    let mut superuser = project.superuser();
    superuser
        .execute(
            "SELECT vault.create_secret($1, 'hook'), vault.create_secret($2, 'key')",
            &[&project.secret(), &project.clerk.secret_key()],
        )
        .expect("the vault takes them");
    project
        .owner()
        .run("SELECT clerk.add_webhook_signing_secret('vault:hook'), clerk.set_secret_key('vault:key')");
    assert_eq!(project.complaints(), []);
    let causes = [
        (
            "UPDATE vault.secrets SET name = name || '2'",
            "has no secret named",
            "SELECT name FROM vault.secrets",
            "DELETE FROM vault.secrets WHERE name LIKE '%2'",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION vault._crypto_aead_det_decrypt FROM project, service_role",
            "may not read vault.decrypted_secrets",
            "GRANT EXECUTE ON FUNCTION",
            "",
        ),
        (
            "REVOKE USAGE ON SCHEMA vault FROM project, service_role; REVOKE SELECT ON vault.decrypted_secrets FROM project, service_role",
            "may not read vault.decrypted_secrets",
            "GRANT USAGE ON SCHEMA",
            "",
        ),
        (
            "UPDATE vault.secrets SET secret = 'of another root key'",
            "cannot be decrypted",
            "root key",
            "",
        ),
        (
            "UPDATE vault.secrets SET secret = encode('OpenSesame', 'hex')",
            "cannot be used",
            "FROM vault.decrypted_secrets WHERE name",
            "",
        ),
    ];
    for (break_it, says, mend_says, tidy) in causes {
        superuser.run(break_it);
        let found = project.complaints();
        let checks: Vec<_> = found.iter().map(|one| one.check.as_str()).collect();
        assert_eq!(checks, ["usable", "secret key"], "{break_it}: {found:#?}");
        for finding in found {
            assert!(finding.found.contains(says), "{finding:?}");
            let mend = finding.mend.clone().expect("it has a mend");
            assert!(mend.contains(mend_says) && !mend.contains("drop_"), "{finding:?}");
            assert!(!format!("{finding:?}").contains("OpenSesame"), "{finding:?}");
            fill_in(finding, &project).mend(&project);
        }
        assert_eq!(project.complaints(), [], "{break_it}");
        superuser.run(tidy);
    }
    superuser.run("DROP SCHEMA vault CASCADE");
    for finding in project.complaints() {
        assert!(finding.found.contains("has no vault"), "{finding:?}");
        assert!(
            finding
                .mend
                .as_deref()
                .is_some_and(|mend| mend.starts_with("CREATE EXTENSION supabase_vault;")),
            "{finding:?}"
        );
    }
}
