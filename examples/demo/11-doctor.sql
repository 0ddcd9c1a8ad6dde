\echo
\echo '── 11. Is anything wrong? ───────────────────────────────────────────────────────'
\echo
\echo 'The doctor looks at everything that a support engineer would ask about: here by area,'
\echo 'with what Clerk says when it is asked.'
\echo
\set ECHO none
-- The stand-in's people live faster than the clock; its time stands still until ours has caught up.
select pg_sleep(10) \g /dev/null
create temporary table findings as select * from clerk.doctor(online => true) with ordinality;
\set ECHO queries
select area, count(*) filter (where status = 'ok') as ok,
       count(*) filter (where status = 'note') as worth_knowing,
       count(*) filter (where status in ('warning', 'failed')) as wrong
from findings group by area order by min(ordinality);
\echo 'What is worth knowing here comes of the stand-in, to which this server talks without TLS:'
\echo
select area, "check", status, found from findings where status <> 'ok';
