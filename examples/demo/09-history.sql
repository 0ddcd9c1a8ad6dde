\echo
\echo '── 9. History ───────────────────────────────────────────────────────────────────'
\echo
\echo 'No webhook ever told of the 30,000 people who were at Clerk before. With the instance''s'
\echo 'secret key, background workers read them from Clerk''s Backend API.'
\echo
\! curl --silent --fail --data '{"users": 30000, "organizations": 200, "memberships": 5000}' "$CLERK_SIM_URL/sim/world/settle" >/dev/null
-- The stand-in is on this machine; an answer of Clerk's takes its time.
\! curl --silent --fail --data '{"fault": {"kind": "slow", "ms": 100}, "times": null}' "$CLERK_SIM_URL/sim/api/faults"
begin;
select clerk.set_secret_key(:'secret_key') as fingerprint;
select clerk.start_backfill() as run;
commit;
\echo 'A worker has begun. Whoever wants to watch can; whoever stops watching stops nothing:'
\echo
call clerk.backfill();
\echo
\set users `curl --silent --fail --header "authorization: Bearer $CLERK_SECRET_KEY" "$CLERK_API_URL/users/count" | sed -E 's/.*"total_count": *([0-9]+).*/\1/'`
select count(*) as users_here, :users as "at Clerk" from clerk.existing_users;
