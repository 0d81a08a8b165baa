-- error: PUBLIC has a right
--
-- A right of PUBLIC is a right of every existing and future role, including the auditor and reporting tools.

select
    format('%s %s', relation.kind, relation.name) as object,
    format('every role may %s', lower(string_agg(distinct relation.privilege, ', '))) as found,
    format('revoke all on %s %s from public;', relation.kind, relation.name) as fix
from (
    select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid::regclass::text, a.privilege_type
    from pg_class as c
    cross join lateral aclexplode(c.relacl) as a
    where
        c.oid >= 16384
        and a.grantee = 0
        and not exists (
            select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
    union all
    select 'table', c.oid::regclass::text, format('%s (%I)', a.privilege_type, col.attname)
    from pg_class as c
    join pg_attribute as col on col.attrelid = c.oid
    cross join lateral aclexplode(col.attacl) as a
    where c.oid >= 16384 and a.grantee = 0
    union all
    select 'schema', quote_ident(n.nspname), a.privilege_type
    from pg_namespace as n
    cross join lateral aclexplode(coalesce(n.nspacl, acldefault('n', n.nspowner))) as a
    where a.grantee = 0 and n.nspname not in ('pg_catalog', 'information_schema')
    union all
    select 'database', quote_ident(d.datname), a.privilege_type
    from pg_database as d
    cross join lateral aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) as a
    where a.grantee = 0 and d.datname = current_database()
    union all
    select 'tablespace', quote_ident(t.spcname), a.privilege_type
    from pg_tablespace as t
    cross join lateral aclexplode(t.spcacl) as a
    where a.grantee = 0
    union all
    select 'foreign server', quote_ident(s.srvname), a.privilege_type
    from pg_foreign_server as s
    cross join lateral aclexplode(s.srvacl) as a
    where a.grantee = 0
) as relation (kind, name, privilege)
group by relation.kind, relation.name
order by 1
