-- SQL functions that are called with events.
--
-- Both run as their caller: a handler runs as the role that registered it. Only the table is written as its owner.

CREATE FUNCTION clerk.on_event(pattern text, handler regproc, include_repairs boolean DEFAULT false) RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_on_event';
COMMENT ON FUNCTION clerk.on_event(text, regproc, boolean) IS
    'Has a function called with each event from now on whose type is the pattern: user.created, the beginning of types and *, as user.*, or *. A type that Clerk is not known to send never fires and is refused; with * at its end it is not. The function takes the event as jsonb, as the ledger keeps it, with svix_id added; what it returns is ignored. It is called soon after the delivery, by a background worker or by clerk.maintain(), never in the delivery itself, and in no particular order; at least once, so it must bear repetition. It runs as the current role of this call, with search_path pg_catalog, in a security-restricted operation: it cannot change roles, make temporary tables or put off constraints and triggers. A call that fails or takes longer than clerk.handler_timeout is made again later, and given up as clerk.configure_mirror(max_attempts) says. With include_repairs it is also called, with {"repair": true} and no more data than the id, when clerk.apply_objects() finds a row missing or outdated. Function and role are kept by name, for dumps. Returns the handler''s number; the same again returns the same. NULL for NULL. Raises 22023 for another pattern or another kind of function, 42501 if the role may not call the function, if the function belongs to a role whose code must not run as this one, or if the owner of the extension may not SET ROLE to this role. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';

CREATE FUNCTION clerk.drop_event_handler(id bigint) RETURNS void
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE SECURITY INVOKER
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'clerk_drop_event_handler';
COMMENT ON FUNCTION clerk.drop_event_handler(bigint) IS
    'Takes an event handler back, and the calls of it that are queued. Does nothing for NULL. Raises 42704 if there is none with that number, 42501 unless the caller has the rights of the role that registered it or of the extension''s owner. VOLATILE. Callable by the owner and roles given clerk.grant_admin().';
