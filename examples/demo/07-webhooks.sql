\echo
\echo '── 7. Webhooks become tables ────────────────────────────────────────────────────'
\echo
\echo 'The administrator gives the database the signing secret of Clerk''s webhook endpoint.'
\echo 'Nobody can read it back; what is shown is its fingerprint.'
\echo
\set secret whsec_ZGVtby1zZWNyZXQtb2YtY2xlcmstc2ltISE=
select clerk.add_webhook_signing_secret(:'secret') as fingerprint;
\echo
\echo 'Webhooks come late, twice and in any order. First the last one: Ada''s membership,'
\echo 'before anything is known of Ada or of Acme. Each goes to clerk.receive_webhook(), which'
\echo 'checks its signature; behind PostgREST clerk.expose_api() makes a function that does.'
\echo
\set QUIET on
\set ECHO none
\set membership '{"type":"organizationMembership.created","object":"event","timestamp":~005,"instance_id":"ins_sim","data":{"id":"orgmem_1","object":"organization_membership","role":"org:admin","permissions":["org:documents:delete"],"public_metadata":{},"created_at":~004,"updated_at":~004,"organization":{"id":"org_acme","object":"organization","name":"Acme","slug":"acme","created_at":~001,"updated_at":~001},"public_user_data":{"user_id":"user_ada","first_name":"Ada"}}}'
\set renamed '{"type":"user.updated","object":"event","timestamp":~003,"instance_id":"ins_sim","data":{"id":"user_ada","object":"user","first_name":"Ada","last_name":"Lovelace","primary_email_address_id":"idn_2","email_addresses":[{"id":"idn_1","email_address":"ada@old.example","verification":{"status":"verified"}},{"id":"idn_2","email_address":"ada@engine.example","verification":{"status":"verified"}}],"public_metadata":{},"private_metadata":{"secret":"stays at Clerk"},"created_at":~000,"updated_at":~003}}'
\set created '{"type":"user.created","object":"event","timestamp":~000,"instance_id":"ins_sim","data":{"id":"user_ada","object":"user","first_name":"Ada","last_name":"Byron","primary_email_address_id":"idn_1","email_addresses":[{"id":"idn_1","email_address":"ada@old.example","verification":{"status":"verified"}}],"public_metadata":{},"created_at":~000,"updated_at":~000}}'
\set gone '{"type":"user.deleted","object":"event","timestamp":~009,"instance_id":"ins_sim","data":{"id":"user_grace","object":"user","deleted":true}}'
\set grace '{"type":"user.created","object":"event","timestamp":~002,"instance_id":"ins_sim","data":{"id":"user_grace","object":"user","first_name":"Grace","created_at":~002,"updated_at":~002}}'
-- In them ~ stands for the second in which all of this happens.
\set now `date +%s`
select
  replace(:'membership', '~', :'now') as membership,
  replace(:'renamed', '~', :'now') as renamed,
  replace(:'created', '~', :'now') as created,
  replace(:'gone', '~', :'now') as gone,
  replace(:'grace', '~', :'now') as grace \gset
\set membership_headers `./headers :'secret' msg_membership :'membership'`
\set renamed_headers `./headers :'secret' msg_renamed :'renamed'`
\set created_headers `./headers :'secret' msg_created :'created'`
\set gone_headers `./headers :'secret' msg_gone :'gone'`
\set grace_headers `./headers :'secret' msg_grace :'grace'`
create function pg_temp.receive(body text, headers jsonb, out status text, out type text, out reason text)
language sql as $$
  select answer->>'status', answer->>'type', answer->>'reason'
  from clerk.receive_webhook(body, headers) as answer
$$;
select * from pg_temp.receive(:'membership', :'membership_headers');
\echo 'Then Ada''s change of name, and only then that she signed up, which is old news by now:'
\echo
select * from pg_temp.receive(:'renamed', :'renamed_headers');
select * from pg_temp.receive(:'created', :'created_headers');
\echo 'The same delivery again, and one that somebody tampered with:'
\echo
select * from pg_temp.receive(:'created', :'created_headers');
select * from pg_temp.receive(replace(:'created', 'Byron', 'Forged'), :'created_headers');
\echo 'Grace''s account is deleted, and the news of her signing up comes after that:'
\echo
select * from pg_temp.receive(:'gone', :'gone_headers');
select * from pg_temp.receive(:'grace', :'grace_headers');
\set ECHO queries
\echo 'What the tables show:'
\echo
select id, first_name, last_name, primary_email_address from clerk.existing_users;
select u.first_name, m.role, o.name
from clerk.existing_organization_memberships as m
join clerk.existing_users as u on u.id = m.user_id
join clerk.existing_organizations as o on o.id = m.organization_id;
\echo 'And the ledger, in the order in which things came:'
\echo
select event_type, subject_id, to_char(event_at, 'HH24:MI:SS.MS') as event_at, state
from clerk.webhook_events order by received_at;
