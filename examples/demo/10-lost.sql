\echo
\echo '── 10. A lost webhook ───────────────────────────────────────────────────────────'
\echo
\echo 'One more here than there: Ada has closed Acme and her account, and those two webhooks'
\echo 'got lost. A full reconcile finds what is gone: it reads everything, and asks Clerk by'
\echo 'its id for each row that was not listed.'
\echo
-- To the stand-in, Ada and Acme were never there, because the webhooks of chapter 7 were written by hand.
call clerk.reconcile(full => true);
\echo
\set users `curl --silent --fail --header "authorization: Bearer $CLERK_SECRET_KEY" "$CLERK_API_URL/users/count" | sed -E 's/.*"total_count": *([0-9]+).*/\1/'`
select count(*) as users_here, :users as "at Clerk" from clerk.existing_users;
\echo 'Her row stays, for those that refer to it. If she is seen again after all, it counts again.'
\echo
select id, deleted, deleted_at, date_trunc('second', missing_at) as missing_at
from clerk.users where id = 'user_ada';
\echo 'The launcher does this every day, and reads what is new every hour.'
