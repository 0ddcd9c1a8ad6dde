-- Runs: history is brought in and what webhooks failed to tell is found, by workers that read Clerk's Backend API.
--
-- None of this is dumped: a restored database knows nothing of workers that ran elsewhere, and reads everything once more.

CREATE TABLE clerk.sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer text NOT NULL REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    kind text NOT NULL
        CHECK (kind OPERATOR(pg_catalog.=) ANY (ARRAY['backfill', 'reconcile', 'sync_user', 'sync_organization'])),
    full_walk boolean NOT NULL DEFAULT false,
    confirm_missing boolean NOT NULL DEFAULT false,
    subject_id text,
    resources text[] NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running', 'done', 'failed', 'cancelled'])),
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    started_at timestamptz,
    heartbeat_at timestamptz,
    finished_at timestamptz,
    worker_pid integer,
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz,
    last_error text,
    last_hint text,
    trace_id text,
    cause text CHECK (cause OPERATOR(pg_catalog.=) ANY (ARRAY[
        'secret key', 'not allowed', 'not found', 'too many requests', 'clerk', 'request', 'address', 'network', 'settings',
        'database', 'too many missing'
    ])),
    CHECK (pg_catalog.num_nulls(subject_id) OPERATOR(pg_catalog.=)
           CASE WHEN pg_catalog.starts_with(kind, 'sync_') THEN 0 ELSE 1 END)
);
CREATE INDEX sync_runs_open ON clerk.sync_runs (issuer, id)
    WHERE state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running']);
CREATE INDEX sync_runs_latest ON clerk.sync_runs (issuer, kind, id);
COMMENT ON TABLE clerk.sync_runs IS 'Runs that read Clerk''s Backend API into the mirror: backfills, reconciles and those of one user or organization. Started by clerk.start_backfill() and its siblings and by clerk.maintain(); kept as long as the ledger keeps events.';
COMMENT ON COLUMN clerk.sync_runs.id IS 'Number of the run.';
COMMENT ON COLUMN clerk.sync_runs.issuer IS 'The instance.';
COMMENT ON COLUMN clerk.sync_runs.kind IS 'backfill, reconcile, sync_user or sync_organization.';
COMMENT ON COLUMN clerk.sync_runs.full_walk IS 'Whether a reconcile lists everything and finds what is gone, or only what is new.';
COMMENT ON COLUMN clerk.sync_runs.confirm_missing IS 'Whether rows may be taken for gone however many they are.';
COMMENT ON COLUMN clerk.sync_runs.subject_id IS 'The user or organization that a run is about, if it is about one.';
COMMENT ON COLUMN clerk.sync_runs.resources IS 'Tables that the run fills.';
COMMENT ON COLUMN clerk.sync_runs.state IS 'queued: waits for a worker, or until next_attempt_at; running; done; failed: see last_error; cancelled.';
COMMENT ON COLUMN clerk.sync_runs.requested_by IS 'Role that started it; maintain if clerk.maintain() did.';
COMMENT ON COLUMN clerk.sync_runs.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN clerk.sync_runs.started_at IS 'When a worker first took it.';
COMMENT ON COLUMN clerk.sync_runs.heartbeat_at IS 'When it last got anywhere.';
COMMENT ON COLUMN clerk.sync_runs.finished_at IS 'When it ended, however.';
COMMENT ON COLUMN clerk.sync_runs.worker_pid IS 'Process of the worker that has it or had it last.';
COMMENT ON COLUMN clerk.sync_runs.attempts IS 'How often in a row it was stopped by something that may pass, as Clerk not answering.';
COMMENT ON COLUMN clerk.sync_runs.next_attempt_at IS 'When it goes on after such a stop.';
COMMENT ON COLUMN clerk.sync_runs.last_error IS 'What stopped it last; NULL once it has got on.';
COMMENT ON COLUMN clerk.sync_runs.last_hint IS 'What to do about it.';
COMMENT ON COLUMN clerk.sync_runs.trace_id IS 'Clerk''s trace id of the answer that stopped it; Clerk''s support asks for it.';
COMMENT ON COLUMN clerk.sync_runs.cause IS 'What has to be looked at: secret key (Clerk does not accept it), not allowed (a feature that the instance does not have), not found, too many requests, clerk (it answers with an error of its own), request (this version of clerk_sync asks for something that Clerk does not take), address (whoever answers is not Clerk), network (nobody answers), settings (of the instance), database, or too many missing (rows that Clerk did not list). NULL as last_error.';
COMMENT ON SEQUENCE clerk.sync_runs_id_seq IS 'Numbers of runs.';

CREATE TABLE clerk.sync_steps (
    run_id bigint NOT NULL REFERENCES clerk.sync_runs (id) ON DELETE CASCADE,
    resource text NOT NULL,
    ordinal integer NOT NULL,
    position jsonb NOT NULL DEFAULT '{}',
    done bigint NOT NULL DEFAULT 0,
    total bigint,
    pages bigint NOT NULL DEFAULT 0,
    inserted bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    missing bigint NOT NULL DEFAULT 0,
    repaired bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    errors jsonb NOT NULL DEFAULT '[]',
    note text,
    time_spent interval NOT NULL DEFAULT '0',
    started_at timestamptz,
    listed_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (run_id, resource)
);
COMMENT ON TABLE clerk.sync_steps IS 'The parts of each run, one for each table: how far it is, and what came of it.';
COMMENT ON COLUMN clerk.sync_steps.run_id IS 'The run.';
COMMENT ON COLUMN clerk.sync_steps.resource IS 'The table.';
COMMENT ON COLUMN clerk.sync_steps.ordinal IS 'Steps are taken in this order.';
COMMENT ON COLUMN clerk.sync_steps.position IS 'Where it goes on. Saved together with the rows of each page.';
COMMENT ON COLUMN clerk.sync_steps.done IS 'Objects of Clerk''s that were read.';
COMMENT ON COLUMN clerk.sync_steps.total IS 'How many there are in all, if Clerk said.';
COMMENT ON COLUMN clerk.sync_steps.pages IS 'Answers of Clerk''s that were applied.';
COMMENT ON COLUMN clerk.sync_steps.inserted IS 'Rows that were not there, or of which nothing but the id was known.';
COMMENT ON COLUMN clerk.sync_steps.changed IS 'Rows that are now other than they were.';
COMMENT ON COLUMN clerk.sync_steps.missing IS 'Rows that turned out to be gone at Clerk.';
COMMENT ON COLUMN clerk.sync_steps.repaired IS 'In a reconcile, inserted, changed and missing together: what no webhook had told of by then.';
COMMENT ON COLUMN clerk.sync_steps.failed IS 'Objects that could not be applied. The run goes on without them.';
COMMENT ON COLUMN clerk.sync_steps.errors IS 'The first of those, as [{"id", "error"}].';
COMMENT ON COLUMN clerk.sync_steps.note IS 'Why the step ended otherwise than by reading everything.';
COMMENT ON COLUMN clerk.sync_steps.time_spent IS 'Time that workers spent on it.';
COMMENT ON COLUMN clerk.sync_steps.started_at IS 'When it began.';
COMMENT ON COLUMN clerk.sync_steps.listed_at IS 'When Clerk''s list was read to its end. What was not on it is asked for once all lists were read.';
COMMENT ON COLUMN clerk.sync_steps.finished_at IS 'When it was over; NULL while it is to be gone on with.';

CREATE TABLE clerk.sync_watermarks (
    issuer text NOT NULL REFERENCES clerk.instances (issuer) ON UPDATE CASCADE ON DELETE CASCADE,
    resource text NOT NULL,
    read_until timestamptz NOT NULL,
    read_whole_at timestamptz,
    unlisted bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (issuer, resource)
);
COMMENT ON TABLE clerk.sync_watermarks IS 'What has been read of each table: how far back an incremental reconcile has to read, and when everything was read last.';
COMMENT ON COLUMN clerk.sync_watermarks.issuer IS 'The instance.';
COMMENT ON COLUMN clerk.sync_watermarks.resource IS 'The table.';
COMMENT ON COLUMN clerk.sync_watermarks.read_until IS 'What Clerk had changed by then, by Clerk''s clock, has been read.';
COMMENT ON COLUMN clerk.sync_watermarks.read_whole_at IS 'When the whole list was last read to its end. NULL: never, so of what was before the first webhook nothing is known.';
COMMENT ON COLUMN clerk.sync_watermarks.unlisted IS 'How many rows Clerk counted then and did not list, also when it was asked again.';

CREATE VIEW clerk.sync_progress AS
SELECT
    r.id AS run_id, r.issuer, r.kind, r.full_walk, r.subject_id, r.state, s.resource, s.done, s.total,
    CASE
        WHEN s.finished_at IS NOT NULL THEN 100
        WHEN s.total OPERATOR(pg_catalog.>) 0
            THEN LEAST(pg_catalog.floor(100.0 OPERATOR(pg_catalog.*) s.done OPERATOR(pg_catalog./) s.total), 99)
        ELSE 0
    END::integer AS percent,
    CASE WHEN s.time_spent OPERATOR(pg_catalog.>) '0'
        THEN pg_catalog.round(s.done OPERATOR(pg_catalog./) EXTRACT(epoch FROM s.time_spent), 1)
    END AS per_second,
    CASE
        WHEN s.finished_at IS NULL AND s.listed_at IS NULL AND s.done OPERATOR(pg_catalog.>) 0
            THEN s.time_spent OPERATOR(pg_catalog.*)
                 (GREATEST(s.total OPERATOR(pg_catalog.-) s.done, 0)::double precision OPERATOR(pg_catalog./) s.done)
    END AS time_left,
    s.pages, s.inserted, s.changed, s.missing, s.repaired, s.failed, s.errors, s.note, s.started_at, s.listed_at, s.finished_at,
    r.last_error, r.next_attempt_at
FROM clerk.sync_runs AS r
JOIN clerk.sync_steps AS s ON s.run_id OPERATOR(pg_catalog.=) r.id;
COMMENT ON VIEW clerk.sync_progress IS
    'How far each step of each run is: objects done of the total, objects per second, time left, and what came of it. For the owner and roles given clerk.grant_admin().';

-- A column of a view means what it means in its table.
DO LANGUAGE plpgsql $comments$
DECLARE
    one_column record;
BEGIN
    FOR one_column IN
        SELECT shown.attname, COALESCE(
            (SELECT pg_catalog.col_description(k.attrelid, k.attnum) FROM pg_catalog.pg_attribute AS k
             WHERE k.attrelid OPERATOR(pg_catalog.=) 'clerk.sync_steps'::pg_catalog.regclass AND k.attname OPERATOR(pg_catalog.=) shown.attname),
            (SELECT pg_catalog.col_description(k.attrelid, k.attnum) FROM pg_catalog.pg_attribute AS k
             WHERE k.attrelid OPERATOR(pg_catalog.=) 'clerk.sync_runs'::pg_catalog.regclass AND k.attname OPERATOR(pg_catalog.=) shown.attname)
        ) AS meaning
        FROM pg_catalog.pg_attribute AS shown
        WHERE shown.attrelid OPERATOR(pg_catalog.=) 'clerk.sync_progress'::pg_catalog.regclass AND shown.attnum OPERATOR(pg_catalog.>) 0
    LOOP
        EXECUTE pg_catalog.format('COMMENT ON COLUMN clerk.sync_progress.%I IS %L', one_column.attname, one_column.meaning);
    END LOOP;
END
$comments$;
COMMENT ON COLUMN clerk.sync_progress.percent IS 'Share of the objects that were read; 100 when the step is over.';
COMMENT ON COLUMN clerk.sync_progress.per_second IS 'Objects read per second of work.';
COMMENT ON COLUMN clerk.sync_progress.time_left IS 'How long reading the rest will take at that pace.';

-- Definer functions, so that whoever may call them needs no right on the tables.

CREATE FUNCTION clerk.start_backfill(resources text[] DEFAULT NULL, restart boolean DEFAULT false, instance text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_start_backfill';
COMMENT ON FUNCTION clerk.start_backfill(text[], boolean, text) IS
    'Has a background worker read everything that Clerk has into the mirror, once the transaction commits, and returns the number of the run in clerk.sync_runs. resources names tables of the mirror; NULL means all that the instance mirrors and Clerk lists. A backfill of the same tables that was cancelled, failed or is still under way is gone on with, and its number returned, unless restart is true, which ends it and begins anew. So is a full reconcile that waits or is under way, which reads the same, unless restart is true or resources are named. instance is an issuer or an instance id; NULL is the only one. Rows are joined as webhooks are, so both may arrive at once. Raises 55000 without an instance or a secret key (clerk.set_secret_key()), 22004 if restart is NULL or resources contains NULL, 22023 for resources that cannot be read or if there are several instances and none is named, 42704 for an unknown one. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.start_reconcile("full" boolean DEFAULT false, confirm_missing boolean DEFAULT false, instance text DEFAULT NULL)
    RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_start_reconcile';
COMMENT ON FUNCTION clerk.start_reconcile(boolean, boolean, text) IS
    'Has a background worker compare the mirror with Clerk and repair what differs, once the transaction commits; returns the number of the run in clerk.sync_runs. Without full it reads what is new since the last time: users by when they changed, the rest by when it was made. With full it reads everything, asks Clerk for each row that was not listed, and takes those for gone that Clerk does not know any more; it refuses to do so, and the run fails, if too many were not listed (clerk.configure_mirror(missing_threshold)), unless confirm_missing is true. A reconcile of the same kind that is waiting or under way is not begun again: its number is returned. instance is an issuer or an instance id; NULL is the only one. Raises 22004 if one of the first two is NULL, 22023 for confirm_missing without full, and else as clerk.start_backfill(). VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.sync_user(id text, instance text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_sync_user';
COMMENT ON FUNCTION clerk.sync_user(text, text) IS
    'Has a background worker ask Clerk for one user with their memberships, sessions and subscription, as far as these tables are mirrored, once the transaction commits, whatever other run is under way; returns the number of the run in clerk.sync_runs. What Clerk does not know any more is gone from the mirror. NULL for a NULL id. An id that is no user''s raises 22023; otherwise raises as clerk.start_backfill(). VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.sync_organization(id text, instance text DEFAULT NULL) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_sync_organization';
COMMENT ON FUNCTION clerk.sync_organization(text, text) IS
    'As clerk.sync_user(), for one organization with its memberships, invitations, domains and subscription. NULL for a NULL id. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.cancel_run(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_cancel_run';
COMMENT ON FUNCTION clerk.cancel_run(bigint) IS
    'Ends a run that waits or is under way; its worker stops at once when the transaction commits, and not if it is rolled back, to a savepoint or whole. What it has read stays, and clerk.start_backfill() goes on with a cancelled backfill. False if the run was over already, NULL for NULL. An unknown number raises 42704. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.follow_run(id bigint) RETURNS boolean
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_follow_run';
COMMENT ON FUNCTION clerk.follow_run(bigint) IS
    'Waits a moment for a run, about a second at most, and tells in NOTICEs how far it is: what clerk.backfill() and clerk.reconcile() do again and again. True when the run is done, false while it is not, NULL for NULL. Raises 55000 if it failed, 57014 if it was cancelled, 42704 for an unknown number. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.require_no_transaction(started_by text) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_require_no_transaction';
COMMENT ON FUNCTION clerk.require_no_transaction(text) IS
    'Raises 25001 unless it is called in a procedure that may commit; started_by is the call that its hint names. What clerk.backfill() and clerk.reconcile() ask first. Does nothing for NULL. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

-- Procedures, because they commit: the worker must see the run, and nothing may hold a snapshot for as long as it takes. That
-- rules out a pinned search_path, so everything is qualified.

CREATE PROCEDURE clerk.backfill(resources text[] DEFAULT NULL, restart boolean DEFAULT false, instance text DEFAULT NULL)
    LANGUAGE plpgsql
AS $body$
DECLARE
    run bigint;
    is_done boolean;
BEGIN
    PERFORM clerk.require_no_transaction('clerk.start_backfill()');
    run := clerk.start_backfill(resources, restart, instance);
    LOOP
        COMMIT;
        is_done := clerk.follow_run(run);
        EXIT WHEN is_done;
    END LOOP;
END
$body$;
COMMENT ON PROCEDURE clerk.backfill(text[], boolean, text) IS
    'Does what clerk.start_backfill() starts, and tells in NOTICEs how far it is. The work is the worker''s: if this call is cancelled or its session lost, the run goes on, and clerk.cancel_run() ends it. Raises 25001 in a transaction block and in a function, and else as clerk.start_backfill(); and 55000 if the run fails. Callable by the owner and roles given clerk.grant_admin().';

CREATE PROCEDURE clerk.reconcile("full" boolean DEFAULT false, confirm_missing boolean DEFAULT false, instance text DEFAULT NULL)
    LANGUAGE plpgsql
AS $body$
DECLARE
    run bigint;
    is_done boolean;
BEGIN
    PERFORM clerk.require_no_transaction('clerk.start_reconcile()');
    run := clerk.start_reconcile($1, confirm_missing, instance);
    LOOP
        COMMIT;
        is_done := clerk.follow_run(run);
        EXIT WHEN is_done;
    END LOOP;
END
$body$;
COMMENT ON PROCEDURE clerk.reconcile(boolean, boolean, text) IS
    'Does what clerk.start_reconcile() starts, and tells in NOTICEs how far it is, as clerk.backfill() does. Raises 25001 in a transaction block and in a function, and else as clerk.start_reconcile(); and 55000 if the run fails. Callable by the owner and roles given clerk.grant_admin().';
