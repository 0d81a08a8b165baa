-- error: The change log can be changed by those it records
--
-- The server reads the log; a trigger that runs as the gate writes it. No role changes its rows, and only the owner
-- deletes them when they are old enough.

select
    'operations.audit_events' as object,
    format('%s may %s', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))) as found,
    format(
        'revoke %s on operations.audit_events from %s;',
        lower(string_agg(distinct a.privilege_type, ', ')),
        a.grantee::regrole
    ) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where
    c.oid = to_regclass('operations.audit_events')
    and a.grantee not in (0, c.relowner)
    and (
        a.privilege_type in ('UPDATE', 'DELETE')
        or (a.privilege_type = 'INSERT' and a.grantee is distinct from to_regrole('appointd_gate'))
    )
group by a.grantee
order by 1, 2
