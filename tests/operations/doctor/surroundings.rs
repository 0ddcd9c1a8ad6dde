//! Breakages of privileges, settings, policies and tables that SQL can make and mend.

use super::table::{Breakage, PLAIN};

pub const SURROUNDINGS: &[Breakage] = &[
    Breakage {
        break_it: "GRANT SELECT (secret) ON clerk.secrets TO PUBLIC; GRANT SELECT ON clerk.secrets TO anon",
        area: "secrets",
        check: "granted to nobody",
        names: "PUBLIC",
        also: &[("grants", "nothing too much")],
        ..PLAIN
    },
    Breakage {
        break_it: "GRANT pg_read_all_data TO app",
        area: "secrets",
        check: "read by nobody",
        status: "warning",
        names: "app",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER DATABASE project SET \"app.settings.jwt_secret\" = 'OpenSesameOpenSesame'",
        area: "secrets",
        check: "none in settings",
        names: "app.settings.jwt_secret of database project",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator SET clerk.http_proxy = 'http://me:OpenSesame@proxy.example:3128'",
        area: "secrets",
        check: "none in settings",
        names: "clerk.http_proxy of role authenticator",
        ..PLAIN
    },
    Breakage {
        break_it: "GRANT EXECUTE ON FUNCTION clerk.apply_events TO anon; GRANT SELECT ON clerk.users TO PUBLIC; GRANT TRIGGER ON clerk.users TO app",
        area: "grants",
        check: "nothing too much",
        names: "PUBLIC: SELECT on clerk.users, anon: EXECUTE on clerk.apply_events(jsonb), app: TRIGGER on clerk.users",
        ..PLAIN
    },
    Breakage {
        break_it: "REVOKE EXECUTE ON FUNCTION clerk.current_user_id FROM PUBLIC; REVOKE USAGE ON SCHEMA clerk FROM PUBLIC",
        area: "grants",
        check: "nothing missing",
        names: "PUBLIC: clerk.current_user_id, PUBLIC: schema clerk",
        ..PLAIN
    },
    Breakage {
        break_it: "REVOKE EXECUTE ON FUNCTION clerk.maintain FROM helper; REVOKE SELECT ON clerk.users FROM service_role;
                   REVOKE SELECT ON clerk.me FROM authenticated; REVOKE EXECUTE ON FUNCTION clerk.receive_webhook FROM anon",
        area: "grants",
        check: "nothing missing",
        names: "anon: clerk.receive_webhook, authenticated: clerk.me, helper: clerk.maintain, service_role: clerk.users",
        ..PLAIN
    },
    Breakage {
        break_it: r#"CREATE ROLE "On; Call"; GRANT EXECUTE ON FUNCTION clerk.configure TO "On; Call""#,
        area: "grants",
        check: "nothing missing",
        names: "On; Call: clerk.maintain",
        tidy: r#"DROP OWNED BY "On; Call"; DROP ROLE "On; Call""#,
        ..PLAIN
    },
    Breakage {
        break_it: "GRANT CREATE ON SCHEMA clerk TO anon",
        area: "schema",
        check: "nobody creates in it",
        names: "anon",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE clerk.mine (); CREATE FUNCTION clerk.all_of_it() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT ''x''::text'",
        area: "schema",
        check: "nothing foreign in it",
        status: "warning",
        names: "clerk.all_of_it(), clerk.mine",
        tidy: "DROP SCHEMA not_clerk CASCADE",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE FUNCTION public.mine() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
                   CREATE TRIGGER \"My trigger\" BEFORE INSERT ON clerk.users FOR EACH ROW EXECUTE FUNCTION public.mine()",
        area: "schema",
        check: "nothing added to its tables",
        status: "warning",
        names: "trigger \"My trigger\" of clerk.users",
        tidy: "DROP FUNCTION public.mine",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE INDEX mine ON clerk.sessions (user_id); CREATE UNIQUE INDEX \"Mine\" ON clerk.users (lower(id))",
        area: "schema",
        check: "nothing added to its tables",
        status: "warning",
        names: "index \"Mine\" of clerk.users",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE POLICY mine ON clerk.users USING (true); CREATE RULE mine AS ON DELETE TO clerk.roles DO INSTEAD NOTHING",
        area: "schema",
        check: "nothing added to its tables",
        status: "warning",
        names: "policy mine of clerk.users",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER TABLE clerk.users ADD CONSTRAINT mine CHECK (id <> ''), ADD CONSTRAINT lone UNIQUE (id)",
        area: "schema",
        check: "nothing added to its tables",
        status: "warning",
        names: "constraint lone of clerk.users",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE PUBLICATION mine FOR TABLE clerk.users, clerk.organizations",
        area: "schema",
        check: "nothing added to its tables",
        status: "warning",
        names: "publication mine of clerk.organizations",
        tidy: "DROP PUBLICATION mine",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER DATABASE project SET log_statement = 'all'",
        area: "logging",
        check: "log_statement",
        status: "warning",
        names: "all for authenticator, all for project",
        tidy: "ALTER DATABASE project RESET log_statement",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER ROLE authenticator SET log_min_duration_statement = '1s'",
        area: "logging",
        check: "log_min_duration_statement",
        status: "warning",
        names: "of authenticator are logged with parameters",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER DATABASE project SET log_transaction_sample_rate = 0.5",
        area: "logging",
        check: "log_min_duration_statement",
        status: "warning",
        names: "project",
        ..PLAIN
    },
    Breakage {
        break_it: "ALTER DATABASE project SET pgaudit.log = 'ddl, read, misc'",
        area: "logging",
        check: "pgaudit",
        status: "warning",
        names: "ddl, read, misc",
        tidy: "ALTER DATABASE project RESET pgaudit.log",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE public.people (id uuid PRIMARY KEY);
                   CREATE TABLE public.documents (id int, user_id uuid DEFAULT auth.uid() REFERENCES public.people);
                   CREATE TABLE public.shares (document_id int, user_id uuid);
                   CREATE INDEX ON public.documents (user_id); CREATE INDEX ON public.shares (user_id);
                   ALTER TABLE public.documents ENABLE ROW LEVEL SECURITY;
                   ALTER TABLE public.shares ENABLE ROW LEVEL SECURITY;
                   ALTER TABLE public.people ENABLE ROW LEVEL SECURITY;
                   CREATE POLICY \"Own rows\" ON public.documents FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
                   CREATE POLICY own_writes ON public.documents FOR INSERT WITH CHECK (user_id = auth.uid());
                   CREATE POLICY shared ON public.documents AS RESTRICTIVE FOR ALL
                       USING (EXISTS (SELECT FROM public.shares AS s WHERE s.document_id = documents.id AND s.user_id = auth.uid()));
                   CREATE POLICY unrelated ON public.shares USING (user_id IS NOT NULL);
                   ALTER TABLE public.documents OWNER TO project; ALTER TABLE public.shares OWNER TO project",
        area: "policies",
        check: "auth.uid()",
        status: "warning",
        names: "on public.documents: \"Own rows\", own_writes, shared",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE public.notes (id int, user_id uuid, org_id uuid, author varchar);
                   CREATE INDEX ON public.notes (user_id); CREATE INDEX ON public.notes (org_id);
                   ALTER TABLE public.notes ENABLE ROW LEVEL SECURITY;
                   CREATE POLICY a ON public.notes USING (user_id = (SELECT clerk.current_user_id())::uuid);
                   CREATE POLICY b ON public.notes USING (user_id = clerk.current_user_id()::uuid);
                   CREATE POLICY c ON public.notes USING (user_id = (current_setting('request.jwt.claims', true)::json->>'sub')::uuid);
                   CREATE POLICY d ON public.notes USING (org_id::text = clerk.current_org_id())",
        area: "policies",
        check: "uuid",
        status: "warning",
        names: "on public.notes: a, b, c, d",
        also: &[("claims", "cast to json")],
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE public.\"Invoices\" (id int, \"ownerId\" text, org text, kind text);
                   ALTER TABLE public.\"Invoices\" ENABLE ROW LEVEL SECURITY;
                   CREATE INDEX ON public.\"Invoices\" (kind, org); CREATE INDEX ON public.\"Invoices\" (org) WHERE kind = 'x';
                   CREATE POLICY mine ON public.\"Invoices\" USING (\"ownerId\" = (SELECT clerk.current_user_id()) OR clerk.current_org_id() = org)",
        area: "tables",
        check: "owner columns indexed",
        status: "warning",
        names: "public.\"Invoices\".",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE public.\"Orders\" (id int, \"userId\" text, org text, seller text,
                       CONSTRAINT buyer FOREIGN KEY (\"userId\") REFERENCES clerk.users (id) ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE,
                       CONSTRAINT org FOREIGN KEY (org) REFERENCES clerk.organizations ON DELETE SET NULL,
                       CONSTRAINT seller FOREIGN KEY (seller) REFERENCES clerk.users ON DELETE SET DEFAULT (seller),
                       CONSTRAINT harmless FOREIGN KEY (org) REFERENCES clerk.organizations ON DELETE RESTRICT);
                   CREATE TABLE public.parts (user_id text REFERENCES clerk.users ON DELETE CASCADE) PARTITION BY LIST (user_id);
                   CREATE TABLE public.part PARTITION OF public.parts DEFAULT;
                   ALTER TABLE public.parts OWNER TO project",
        area: "tables",
        check: "foreign keys to the mirror",
        status: "warning",
        names: "buyer of public.\"Orders\": ON DELETE CASCADE never happens",
        tidy: "DO $$ BEGIN
                   ASSERT (SELECT array_agg(pg_get_constraintdef(oid) ORDER BY conname) = ARRAY[
                       'FOREIGN KEY (\"userId\") REFERENCES clerk.users(id) ON UPDATE CASCADE DEFERRABLE',
                       'FOREIGN KEY (org) REFERENCES clerk.organizations(id) ON DELETE RESTRICT',
                       'FOREIGN KEY (org) REFERENCES clerk.organizations(id)',
                       'FOREIGN KEY (seller) REFERENCES clerk.users(id)']
                       FROM pg_constraint WHERE conrelid = 'public.\"Orders\"'::regclass);
               END $$; DROP TABLE public.\"Orders\", public.parts",
        ..PLAIN
    },
    Breakage {
        break_it: "CREATE TABLE public.open (id int); GRANT SELECT (id) ON public.open TO anon",
        area: "tables",
        check: "row level security",
        names: "public.open, which anon may use",
        ..PLAIN
    },
];
