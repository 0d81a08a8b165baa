-- no parameters; what makes a server unsafe to start: the rights of the role it connects as, and holes in the wall
select
    r.rolsuper or r.rolbypassrls as above_policies,
    exists (
        select
        from pg_catalog.pg_roles as other
        where other.oid <> r.oid and pg_catalog.pg_has_role(r.oid, other.oid, 'member')
    ) as member_of_others,
    pg_catalog.to_regclass('app.migrations') is not null as migrated_ever,
    array(
        select format('%s.%s', n.nspname, c.relname)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            n.nspname in ('identity', 'tenancy', 'crm', 'scheduling')
            and c.relkind in ('r', 'p')
            and (
                not c.relrowsecurity
                or not c.relforcerowsecurity
                or not exists (select from pg_catalog.pg_policy as p where p.polrelid = c.oid)
            )
        order by n.nspname, c.relname
    ) as unprotected
from pg_catalog.pg_roles as r
where r.rolname = current_user
