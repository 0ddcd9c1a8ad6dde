\set admin `./token user_ada 'organization={"id": "org_acme", "slug": "acme", "role": "admin", "permissions": ["org:documents:delete"]}'`
\set member `./token user_grace 'organization={"id": "org_acme", "slug": "acme", "role": "member"}'`
\echo
\echo '── 4. An admin and a member of one organization ─────────────────────────────────'
\echo
\echo 'Ada is an admin of Acme, with the permission org:documents:delete. She writes.'
\echo
begin;
set local clerk.jwt = :'admin';
select clerk.current_user_id(), clerk.current_org_slug(), clerk.current_org_role(),
       clerk.current_org_permissions();
insert into documents (title) values ('Budget 1843'), ('Draft of note G');
commit;
\echo
\echo 'Grace is a member. She reads what Acme has, and her DELETE finds no row it may touch.'
\echo
begin;
set local clerk.jwt = :'member';
select clerk.current_org_role(), clerk.has_permission('org:documents:delete') as may_delete;
select title from documents;
delete from documents where title = 'Draft of note G' returning title;
commit;
\echo
\echo 'The same statement, sent by Ada:'
\echo
begin;
set local clerk.jwt = :'admin';
delete from documents where title = 'Draft of note G' returning title;
commit;
