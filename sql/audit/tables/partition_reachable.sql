-- error: A partition can be accessed without its parent
--
-- Only the policies of the table that a statement names are checked. A right on a partition bypasses those of its
-- parent, and the error of a conflict contains the values of the existing row.

select
    c.oid::regclass::text as object,
    format('%s may %s it directly', a.grantee::regrole, lower(string_agg(distinct a.privilege_type, ', '))) as found,
    format(
        'revoke all on %s from %s;',
        c.oid::regclass,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    ) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where c.oid >= 16384 and c.relispartition and c.relkind in ('r', 'p', 'f') and a.grantee <> c.relowner
group by c.oid, a.grantee
order by 1
