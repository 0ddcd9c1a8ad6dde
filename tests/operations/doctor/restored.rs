//! What comes back from a dump of a project whose owner is no superuser, restored by a superuser.

use std::process::{Command, Output};

use clerk_tests::Sql;

use super::project::{OWNER, Project, findings};

/// The project dumped into a file.
struct Dump<'p> {
    project: &'p Project,
    file: std::path::PathBuf,
    is_plain: bool,
}

impl<'p> Dump<'p> {
    fn of(project: &'p Project, is_plain: bool) -> Self {
        let dump = Self {
            project,
            file: project
                .cluster
                .directory()
                .join(if is_plain { "dump.sql" } else { "dump" }),
            is_plain,
        };
        let format = if is_plain { "plain" } else { "custom" };
        let output = run(project
            .cluster
            .pg_binary("pg_dump")
            .args(["project", "--format", format, "--file"])
            .arg(&dump.file));
        assert_eq!(stderr(&output), "");
        dump
    }

    /// Restores it into a new database of the same owner, as the superuser or in the role of the owner. The first error ends it.
    fn restore_into(&self, database: &str, in_role_of_owner: bool) -> Output {
        self.project
            .cluster
            .superuser()
            .run(&format!("CREATE DATABASE {database} OWNER {OWNER}"));
        let binary = |name: &str| self.project.cluster.pg_binary(name);
        let mut command = if self.is_plain {
            let mut psql = binary("psql");
            psql.args([
                "--quiet",
                "--no-psqlrc",
                "--set=ON_ERROR_STOP=1",
                "--dbname",
                database,
            ]);
            if in_role_of_owner {
                psql.args(["--command", &format!("SET ROLE {OWNER}")]);
            }
            psql.arg("--file").arg(&self.file);
            psql
        } else {
            let mut pg_restore = binary("pg_restore");
            pg_restore.args(["--exit-on-error", "--dbname", database]);
            if in_role_of_owner {
                pg_restore.args(["--role", OWNER]);
            }
            pg_restore.arg(&self.file);
            pg_restore
        };
        run(&mut command)
    }
}

fn run(command: &mut Command) -> Output {
    command.output().expect("the program can be run")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_superuser_restores_it_in_the_role_of_its_owner() {
    let project = Project::start();
    project.owner().run(
        "CREATE TABLE public.notes (id int PRIMARY KEY, user_id text REFERENCES clerk.users (id) DEFAULT clerk.current_user_id());
         ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
         CREATE INDEX ON public.notes (user_id);
         CREATE POLICY own_notes ON public.notes TO authenticated USING (user_id = (SELECT clerk.current_user_id()));
         INSERT INTO public.notes SELECT 1, u.id FROM clerk.users AS u LIMIT 1",
    );
    let state = "SELECT concat_ws(' ', (SELECT count(*) FROM clerk.users), (SELECT count(*) FROM clerk.webhook_events),
        (SELECT count(*) FROM public.notes), (SELECT string_agg(polname, ',') FROM pg_policy),
        (SELECT string_agg(e.name, ',' ORDER BY e.name) FROM clerk.exposed_api() AS e),
        (SELECT extowner::regrole FROM pg_extension WHERE extname = 'clerk_sync'), (SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'clerk'))";
    let before: String = project.owner().value(state);
    for is_plain in [true, false] {
        let dump = Dump::of(&project, is_plain);
        let refused = dump.restore_into(&format!("refused_{is_plain}"), false);
        let said = stderr(&refused);
        assert!(!refused.status.success(), "{said}");
        assert!(
            said.contains("schema \"clerk\" belongs to role project")
                && said.contains("--role=project")
                && said.contains("SET ROLE project"),
            "{said}"
        );
        let name = format!("restored_{is_plain}");
        let restored = dump.restore_into(&name, true);
        assert!(restored.status.success(), "{}", stderr(&restored));
        let mut owner = project.cluster.connect_to(&name, OWNER);
        assert_eq!(owner.value::<String>(state), before);
        // What is missing is what the runbook says, and only that.
        let complaints: Vec<_> = findings(&mut owner, false)
            .into_iter()
            .filter(|finding| {
                finding.status == "failed" || finding.area == "schema" || finding.area == "grants"
            })
            .filter(|finding| finding.status != "ok")
            .map(|finding| (finding.area, finding.check))
            .collect();
        let expected = [
            ("postgrest", "connected"),
            ("webhooks", "signing secret"),
            ("maintenance", "rounds"),
        ]
        .map(|(area, check)| (area.to_owned(), check.to_owned()));
        assert_eq!(complaints, expected);
    }
    project.cluster.assert_no_crash();
}
