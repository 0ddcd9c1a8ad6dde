\echo
\echo '── 8. A living population ───────────────────────────────────────────────────────'
\echo
\echo 'At the stand-in for Clerk people now sign up, rename themselves, join, leave, rejoin and'
\echo 'are deleted. All that it has to tell, in no order at all, a fifth of it twice:'
\echo
-- It began three hours ago, and 400 things happen in an hour and a half. From then on its clock is the wall's.
\! curl --silent --fail --data "{\"seed\": 1815, \"users\": {\"start\": 20, \"end\": 40}, \"activities\": [\"people\", \"sessions\", \"organizations\", \"memberships\", \"roles\", \"billing\", \"messages\"], \"start_ms\": $(($(date +%s) * 1000 - 10800000))}" "$CLERK_SIM_URL/sim/world" >/dev/null
\set events `curl --silent --fail --data '{"n": 400}' "$CLERK_SIM_URL/sim/world/step"`
\set truth `curl --silent --fail "$CLERK_SIM_URL/sim/world/truth"`
\! curl --silent --fail --request PATCH --data '{"clock": {"wall": {"ahead_ms": 0}}}' "$CLERK_SIM_URL/sim/api" >/dev/null
\set ECHO none
create temporary table deliveries as
select (e->>'body')::jsonb as event
from jsonb_array_elements(:'events') as e, generate_series(1, 1 + (hashtext(e->>'svix_id') % 5 = 0)::int);
\set ECHO queries
select clerk.apply_events(jsonb_agg(event order by random())) from deliveries;
\echo 'What exists here, beside what the stand-in says is true:'
\echo
\set ECHO none
create function pg_temp.truth(truth jsonb, resource text, out count bigint, out ids text[]) language sql as $$
  select count(*), array_agg(fact.key order by fact.key collate "C")
  from jsonb_each(truth->resource) as fact where fact.value->'exists' = 'true'
$$;
-- The people of the first story are not the population's.
create function pg_temp.mirrored(resource text, out count bigint, out ids text[]) language plpgsql as $$
begin
  execute format('select count(*), array_agg(id order by id collate "C") from clerk.existing_%I
                  where id not in (''user_ada'', ''org_acme'', ''orgmem_1'')', resource) into count, ids;
end $$;
select resource, mirrored.count as here, truth.count as "at Clerk", mirrored.ids is not distinct from truth.ids as "the same ids"
from unnest(array['users', 'organizations', 'organization_memberships']) as resource,
     pg_temp.mirrored(resource), pg_temp.truth(:'truth', resource);
\set ECHO queries
select state, count(*) from clerk.webhook_events group by state order by count(*) desc;
\echo 'Upkeep (retries, handlers, erasing the data of people who were deleted, pruning) happens'
\echo 'every minute: this server preloads the library, and so has a launcher. Without it, one'
\echo 'line of pg_cron does the same.'
