-- error: The auditor can read more than catalogs
--
-- The audit only needs catalogs. The auditor has no right on any table, sequence or function of appointd.

select
    c.oid::regclass::text as object,
    format('appointd_auditor may %s', lower(string_agg(distinct a.privilege_type, ', '))) as found,
    format('revoke all on %s from appointd_auditor;', c.oid::regclass) as fix
from pg_class as c
cross join lateral (
    select * from aclexplode(c.relacl)
    union all
    select x.* from pg_attribute as col cross join lateral aclexplode(col.attacl) as x where col.attrelid = c.oid
) as a
where c.oid >= 16384 and a.grantee = to_regrole('appointd_auditor')
group by c.oid
union all
select
    f.oid::regprocedure::text,
    'appointd_auditor may execute it',
    format('revoke execute on routine %s from appointd_auditor;', f.oid::regprocedure)
from pg_proc as f
cross join lateral aclexplode(f.proacl) as a
where f.oid >= 16384 and a.grantee = to_regrole('appointd_auditor')
order by 1
