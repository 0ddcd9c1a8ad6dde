\set forged `./token user_ada 'key="stranger"'`
\echo
\echo 'The administrator can ask for every check that a token went through:'
\echo
\pset format wrapped
\pset columns 100
select * from clerk.inspect_jwt(:'forged');
