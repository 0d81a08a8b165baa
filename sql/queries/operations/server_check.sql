-- no parameters; what makes a server unsafe to start: the rights of the role it connects as, and holes in the wall
select
    r.rolsuper or r.rolbypassrls as above_policies,
    exists (
        select
        from pg_catalog.pg_roles as other
        where other.oid <> r.oid and pg_catalog.pg_has_role(r.oid, other.oid, 'member')
    ) as member_of_others,
    pg_catalog.to_regclass('app.migrations') is not null as migrated_ever,
    -- Whatever the role may touch, is no catalog, and is not wholly behind policies that ask for the context.
    array(
        select format('%s.%s', n.nspname, c.relname)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and c.oid <> pg_catalog.to_regclass('app.migrations')
            and (
                pg_catalog.has_any_column_privilege(c.oid, 'select, insert, update')
                or pg_catalog.has_table_privilege(c.oid, 'delete, truncate')
            )
            and (
                c.relkind not in ('r', 'p')
                or not c.relrowsecurity
                or not c.relforcerowsecurity
                or not exists (select from pg_catalog.pg_policy as p where p.polrelid = c.oid)
                or exists (
                    select
                    from pg_catalog.pg_policy as p
                    where
                        p.polrelid = c.oid
                        and p.polpermissive
                        and (0 = any (p.polroles) or r.oid = any (p.polroles))
                        and concat(
                            pg_catalog.pg_get_expr(p.polqual, p.polrelid),
                            pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)
                        ) not like '%current_setting(''app.%'
                )
                or (
                    exists (
                        select
                        from pg_catalog.pg_attribute as a
                        where a.attrelid = c.oid and a.attname = 'tenant_id'
                    )
                    and not exists (
                        select
                        from pg_catalog.pg_policy as p
                        where p.polrelid = c.oid and not p.polpermissive and 0 = any (p.polroles)
                    )
                )
            )
        order by n.nspname, c.relname
    ) as unprotected
from pg_catalog.pg_roles as r
where r.rolname = current_user
