-- error: A column that only the context fills can be written
--
-- No role writes the tenant of a row. The server does not write who created a row and when, nor password hashes.

select
    format('%s.%I', a.attrelid::regclass, a.attname) as object,
    format(
        '%s may %s it',
        case g.grantee when 0 then 'every role' else g.grantee::regrole::text end,
        lower(string_agg(distinct g.privilege_type, ', '))
    ) as found,
    format(
        'revoke insert (%1$I), update (%1$I) on %2$s from %3$s;',
        a.attname, a.attrelid::regclass, case g.grantee when 0 then 'public' else g.grantee::regrole::text end
    ) as fix
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
