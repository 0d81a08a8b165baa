-- error: A column that only the context fills can be written
--
-- The tenant of a row is never anybody's to write. Who made a row and when, and a password's hash, are not the
-- server's.

select
    format('%s.%I', a.attrelid::regclass, a.attname) as object,
    format('%s may %s it', g.grantee::regrole, lower(string_agg(distinct g.privilege_type, ', '))) as found,
    format('revoke %s (%I) on %s from %s;', lower(min(g.privilege_type)), a.attname, a.attrelid::regclass, g.grantee::regrole) as fix
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
cross join lateral aclexplode(a.attacl) as g
where
    c.oid >= 16384
    and g.grantee <> c.relowner
    and g.privilege_type in ('INSERT', 'UPDATE')
    and (
        a.attname = 'tenant_id'
        or (
            g.grantee = to_regrole('appointd_api')
            and a.attname in ('created_at', 'created_by', 'actor_id', 'occurred_at', 'password_hash')
        )
    )
group by a.attrelid, a.attname, g.grantee
order by 1
