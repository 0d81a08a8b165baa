-- error: A role stands above the policies
--
-- Superusers and roles with BYPASSRLS are held by no policy. The cluster's first superuser, and a role for backups, are
-- the only ones a production cluster needs: anything else is to be known (`--accept roles/above_policies=role
-- rdsadmin`).

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
