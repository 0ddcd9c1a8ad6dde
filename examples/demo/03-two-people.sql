\set ada `./token user_ada`
\set grace `./token user_grace`
\echo
\echo '── 3. Two people, one table ─────────────────────────────────────────────────────'
\echo
\echo 'From here on we are demo_app, a role with no privilege but on those two tables.'
\echo 'Ada''s request arrives with the session token that Clerk gave her (shortened here).'
\echo
begin;
select clerk.authenticate(:'ada') as signed_in;
insert into notes (body) values ('Ask Babbage about the punched cards');
insert into notes (body) values ('The engine weaves algebraic patterns');
select * from notes;
commit;
\echo
\echo 'The next request on the same connection is Grace''s. SET LOCAL does the same job.'
\echo
begin;
set local clerk.jwt = :'grace';
insert into notes (body) values ('Found a moth in relay 70');
select * from notes;
commit;
\echo
\echo 'And a request in which nobody signed in sees nothing at all:'
\echo
select count(*) as notes_seen from notes;
