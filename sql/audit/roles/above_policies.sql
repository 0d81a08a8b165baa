-- error: A role is not subject to policies
--
-- Policies do not apply to superusers and roles with BYPASSRLS. A production cluster only needs the first superuser and
-- a role for backups: accept others explicitly (`--accept roles/above_policies=role rdsadmin`).

select
    format('role %I', r.rolname) as object,
    concat_ws(
        ' and ',
        case when r.rolsuper then 'superuser' end,
        case when r.rolbypassrls then 'BYPASSRLS' end
    ) as found,
    format('alter role %I nosuperuser nobypassrls;', r.rolname) as fix
from pg_roles as r
where (r.rolsuper or r.rolbypassrls) and r.oid <> 10
order by 1
