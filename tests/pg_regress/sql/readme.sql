-- The README's first protected table runs as printed and answers as printed.
\set home :DBNAME
\getenv builddir PG_ABS_BUILDDIR
\! sed -n '/^```sql$/,/^```$/p' "$PG_ABS_SRCDIR/../../README.md" | grep -v '^```' >"$PG_ABS_BUILDDIR/readme.sql"
\! sed -n '/^```output$/,/^```$/p' "$PG_ABS_SRCDIR/../../README.md" | grep -v '^```' >"$PG_ABS_BUILDDIR/readme.expected"
CREATE DATABASE clerk_readme ENCODING 'UTF8' TEMPLATE template0;
-- The made-up instance's keys cannot be fetched. Why not must not hang on the network, nor does its warning matter here.
ALTER DATABASE clerk_readme SET clerk.http_proxy = 'http://127.0.0.1:9';
ALTER DATABASE clerk_readme SET client_min_messages = error;
\c clerk_readme
\o :builddir/readme.answers
\i :builddir/readme.sql
\o
-- The README's output is the last answer.
\! sed '/^$/d' "$PG_ABS_BUILDDIR/readme.answers" | tail -n "$(wc -l <"$PG_ABS_BUILDDIR/readme.expected")" | diff "$PG_ABS_BUILDDIR/readme.expected" - && echo 'as printed'
\c :home
DROP DATABASE clerk_readme;
DROP ROLE authenticated;
