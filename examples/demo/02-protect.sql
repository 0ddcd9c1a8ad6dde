\echo
\echo '── 2. Protect two tables ────────────────────────────────────────────────────────'
\echo
\echo 'Notes belong to a person, documents to an organization. The policies ask'
\echo 'clerk.current_user_id() and its siblings; no application code takes part.'
\echo
create table notes (
  id bigint generated always as identity primary key,
  author_id text not null default clerk.current_user_id(),
  body text not null
);
create index on notes (author_id);
alter table notes enable row level security;
create policy own_notes on notes
  using (author_id = clerk.current_user_id());

create table documents (
  id bigint generated always as identity primary key,
  org_id text not null default clerk.current_org_id(),
  title text not null
);
create index on documents (org_id);
alter table documents enable row level security;
create policy members_read on documents for select
  using (org_id = clerk.current_org_id());
create policy admins_write on documents for insert
  with check (org_id = clerk.current_org_id() and clerk.has_role('org:admin'));
create policy permitted_delete on documents for delete
  using (org_id = clerk.current_org_id() and clerk.has_permission('org:documents:delete'));

grant select, insert, delete on notes, documents to demo_app;
