\echo
\echo '── 1. Configure ─────────────────────────────────────────────────────────────────'
\echo
\echo 'The administrator installs the extension and names the Clerk instance. With real'
\echo 'Clerk its publishable_key says who that is and where the keys are, and api_url is left out.'
\echo 'The public keys are fetched at once, by a background worker of this server.'
\echo
create extension clerk_sync;
\echo
\x on
select * from clerk.configure(
  issuer => 'https://clerk.demo.example',
  jwks_url => :'jwks_url',
  api_url => :'api_url',
  authorized_parties => array['https://app.demo.example']
);
\x off
\echo 'They can be fetched again at any time:'
\echo
select clerk.refresh_jwks() as keys_cached;
\echo 'The application of this story connects to Postgres itself and brings tokens. So only'
\echo 'they count, and no claims that somebody else is said to have verified:'
\echo
select clerk.set_identity_source('token');
