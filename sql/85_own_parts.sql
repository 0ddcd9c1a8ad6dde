-- What the extension made of its own tables, now that all of it is there; see sql/63_doctor_additions.sql.
INSERT INTO clerk.own_parts (relation, kind, name)
SELECT c.relname, p.kind, p.name
FROM clerk.parts() AS p JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.relation;
