-- error: A role has a right that policies do not limit
--
-- Policies apply to SELECT, INSERT, UPDATE and DELETE. TRUNCATE empties a table for all organizations; REFERENCES
-- creates foreign keys, which are checked below the policies; TRIGGER adds code to the statements of all roles;
-- MAINTAIN (since 17) locks the table.

select
    c.oid::regclass::text as object,
    format(
        '%s may %s',
        case a.grantee when 0 then 'every role' else a.grantee::regrole::text end,
        lower(string_agg(distinct a.privilege_type, ', '))
    ) as found,
    format(
        'revoke %s on %s from %s;',
        lower(
            string_agg(distinct a.privilege_type, ', ')
        ), c.oid::regclass, case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where
    c.oid >= 16384
    and c.relkind in ('r', 'p', 'v', 'm', 'f')
    and a.grantee <> c.relowner
    and a.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
group by c.oid, a.grantee
order by 1, 2
