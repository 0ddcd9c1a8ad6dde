-- Rounds of maintenance, and what the last ones came to.

CREATE TABLE clerk.maintenance_rounds (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    caller text NOT NULL CHECK (caller OPERATOR(pg_catalog.=) ANY (ARRAY['launcher', 'sql'])),
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    report jsonb,
    error text
);
COMMENT ON TABLE clerk.maintenance_rounds IS 'The last thousand rounds of maintenance. A round that skipped because another one was running is not among them.';
COMMENT ON COLUMN clerk.maintenance_rounds.id IS 'Number of the round.';
COMMENT ON COLUMN clerk.maintenance_rounds.caller IS 'launcher: the launcher of the preloaded library; sql: a call of clerk.maintain(), as by pg_cron.';
COMMENT ON COLUMN clerk.maintenance_rounds.started_at IS 'When it began.';
COMMENT ON COLUMN clerk.maintenance_rounds.finished_at IS 'When it ended. NULL while it runs, and for ever if it was cut off.';
COMMENT ON COLUMN clerk.maintenance_rounds.report IS 'What each part did.';
COMMENT ON COLUMN clerk.maintenance_rounds.error IS 'The parts that failed, and why; NULL if none did.';
COMMENT ON SEQUENCE clerk.maintenance_rounds_id_seq IS 'Numbers of rounds.';

CREATE FUNCTION clerk.maintain() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_maintain';
COMMENT ON FUNCTION clerk.maintain() IS
    'One round of upkeep: fetching the keys of every instance, but for those fetched within the last 5 s (or clerk.jwks_cooldown, if that is shorter), due calls of handlers, Realtime''s keys if clerk.sync_realtime_keys() was called, telling PostgREST to read its configuration where it may not have the keys, due retries, erasing the data of deleted people in the ledger, pruning, reconciles that are due and runs that were interrupted. Workers make the requests and the calls, and are waited for. A part that fails raises a warning and does not stop the others. Run it every minute, unless the library is in shared_preload_libraries: then its launcher does the same every clerk.maintain_interval. Answers what each part did, or {"skipped": …} while another round is running; a round lasts until its transaction ends. Raises 25006 where nothing can be written. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
