-- Webhooks and events into the mirror, and its upkeep. C functions: pgrx's own reading of jsonb has limits and panics where
-- they end.
--
-- They run as the owner of the extension, never as a superuser who happens to call them: triggers on the tables are the
-- owner's code.

CREATE FUNCTION clerk.verify_webhook(body text, headers jsonb) RETURNS jsonb
    LANGUAGE c STABLE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_verify_webhook';
COMMENT ON FUNCTION clerk.verify_webhook(text, jsonb) IS
    'The event in a webhook delivery whose signature is right, by the Standard Webhooks rules: HMAC-SHA256 over id.timestamp.body with any of the instances'' signing secrets, at most 300 s old or ahead. headers is an object with svix-id, svix-timestamp and svix-signature, or webhook-…, in any case; body must be the text as it was sent, to the byte. NULL for NULL. A delivery that is refused raises 28000 with the reason code in DETAIL; a signed body that is not JSON raises 22023. Stores nothing. STABLE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.receive_webhook(body text, headers jsonb) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_receive_webhook';
COMMENT ON FUNCTION clerk.receive_webhook(text, jsonb) IS
    'Takes a webhook delivery in: verifies it as verify_webhook(), stores it in the ledger, applies it, and answers {"status", "http_status", "svix_id", "type", "subject_id", "reason"}. status is applied, stale, ignored, failed (stored, and tried again later) or quarantined; duplicate when the id came before; rejected (400, 401, 413, 500) when it is no delivery of Clerk''s; busy (503) when another transaction is storing it. Send http_status back: what is answered with 200 is stored once the transaction commits. Raises nothing for what it is given, NULL included; raises 25006 where nothing can be written. VOLATILE. Callable by the owner, roles given clerk.grant_service(), and anon after clerk.expose_api().';

CREATE FUNCTION clerk.apply_event(event jsonb, svix_id text DEFAULT NULL) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_apply_event';
COMMENT ON FUNCTION clerk.apply_event(jsonb, text) IS
    'Stores and applies an event without a signature, as receive_webhook() does with one, and answers the same. Without svix_id a hash of the event is its id, so that the same event is stored once. NULL for a NULL event. An empty svix_id or one over 256 bytes raises 22023. VOLATILE. Callable by the owner and roles given clerk.grant_service().';

CREATE FUNCTION clerk.apply_events(events jsonb) RETURNS jsonb
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_apply_events';
COMMENT ON FUNCTION clerk.apply_events(jsonb) IS
    'Stores and applies an array of events, or of {"svix_id": …, "event": {…}}, in one go, and answers how many were received, applied, stale, ignored, failed and duplicate. An event that cannot be applied does not hold up the others: it is stored as failed and tried again later. NULL for NULL. Anything but an array of objects raises 22023. VOLATILE. Callable by the owner and roles given clerk.grant_service().';

CREATE FUNCTION clerk.apply_objects(resource text, objects jsonb, observed_at timestamptz, issuer text DEFAULT NULL) RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_apply_objects';
COMMENT ON FUNCTION clerk.apply_objects(text, jsonb, timestamptz, text) IS
    'Applies objects of one mirrored table (users, organizations, …) as Clerk''s Backend API lists them: an array, seen at observed_at, Clerk''s time of the answer. Of the instance with that issuer; without one, of the first configured. Leaves no trace in the ledger. Answers how many were received, applied and stale. NULL if one of the first three is NULL. An unknown table, anything but an array of objects with ids, and a time that no later one could follow raise 22023: observed_at infinite or more than a day ahead of the database''s clock, or updated_at of an object, or of one inside it, more than a day ahead. An unknown issuer raises 42704. VOLATILE. Callable by the owner and roles given clerk.grant_service().';

CREATE FUNCTION clerk.retry_failed(max_rows integer DEFAULT 100) RETURNS jsonb
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_retry_failed';
COMMENT ON FUNCTION clerk.retry_failed(integer) IS
    'Applies failed events again whose time has come, oldest first, at most max_rows and for at most about 20 s; rows that another session is retrying are left to it. Answers how many were applied, ignored, failed again, and quarantined, which raises a warning. clerk.maintain() does this too. NULL for NULL. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.replay_event(svix_id text) RETURNS jsonb
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_replay_event';
COMMENT ON FUNCTION clerk.replay_event(text) IS
    'Applies a stored event again, whatever became of it, and revives calls of handlers that were given up for it. Answers as receive_webhook(). NULL for NULL. An unknown id raises 42704; an event whose payload is not kept any more raises 55000. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.prune_webhook_events() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_prune_webhook_events';
COMMENT ON FUNCTION clerk.prune_webhook_events() IS
    'Forgets payloads and events of the ledger that are older than clerk.configure_mirror() says (30 and 90 days); what waits to be applied stays. Answers how many payloads, events and rejections went. clerk.maintain() does this too. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.ensure_current_user() RETURNS jsonb
    LANGUAGE c VOLATILE PARALLEL UNSAFE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_ensure_current_user';
COMMENT ON FUNCTION clerk.ensure_current_user() IS
    'Makes sure that there are rows for the signed-in user, and for the active organization and the membership in it, so that foreign keys to them never have to wait for a webhook. They are placeholders, below every version that Clerk sends; the membership''s id is made up, since tokens do not carry it, and it is out of sight once Clerk''s own is there. Answers {"user_id", "organization_id"}; NULL when nobody is signed in. Raises as clerk.current_user_id(). VOLATILE. Callable by the owner and roles given clerk.grant_reader() or grant_service().';
