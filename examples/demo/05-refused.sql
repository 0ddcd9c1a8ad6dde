\set expired `./token user_ada expires_in=-60`
\set forged `./token user_ada 'key="stranger"'`
\echo
\echo '── 5. Tokens that are refused ───────────────────────────────────────────────────'
\echo
\echo 'These statements must fail, and say why: the reason code is Clerk''s own.'
\echo 'First a token that expired a minute ago:'
\echo
\set ON_ERROR_STOP off
begin;
set local clerk.jwt = :'expired';
select * from notes;
rollback;
\echo
\echo 'Then a forged one: right names, right key id, signed by somebody else''s key.'
\echo
begin;
select clerk.authenticate(:'forged');
rollback;
\set ON_ERROR_STOP on
