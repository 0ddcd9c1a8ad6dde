\set before `./token user_ada`
-- The forged tokens started a cool-down, which the demo's server keeps at one second.
\! sleep 1.5
\echo
\echo '── 6. Clerk rotates its keys ────────────────────────────────────────────────────'
\echo
\echo 'Ada''s token, signed with the key of the day:'
\echo
begin;
select clerk.authenticate(:'before') as signed_in;
commit;
\echo
\echo 'Now the key is replaced at Clerk. Nobody tells the database.'
\! curl --silent --fail --data '{"kid": "new"}' "$CLERK_SIM_URL/sim/rotate" >/dev/null
\set after `./token user_ada`
\echo 'Her next token is signed with a key the server has never seen. It goes and looks:'
\echo
begin;
select clerk.authenticate(:'after') as signed_in;
select body from notes;
commit;
