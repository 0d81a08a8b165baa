-- no parameters; reasons not to start a server: rights of its role, and tables that are not isolated
select
    r.rolsuper or r.rolbypassrls as above_policies,
    exists (
        select
        from pg_catalog.pg_roles as other
        where other.oid <> r.oid and pg_catalog.pg_has_role(r.oid, other.oid, 'member')
    ) as member_of_others,
    -- By its name in the catalog: before the first migration the role may not even look into the schema.
    exists (
        select
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            n.nspname = 'app'
            and c.relname = 'migrations'
            and pg_catalog.has_schema_privilege(n.oid, 'usage')
            and pg_catalog.has_table_privilege(c.oid, 'select')
    ) as migrated_ever,
    -- Every relation outside the catalogs that the role may access, and that policies with the tenant do not fully
    -- protect.
    array(
        select format('%s.%s', n.nspname, c.relname)
        from pg_catalog.pg_class as c
        join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
        where
            n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
            and c.relkind in ('r', 'p', 'v', 'm', 'f')
            and (n.nspname, c.relname) <> ('app', 'migrations')
            -- As in the audit: objects of extensions are skipped (pg_stat_statements has a view for PUBLIC), except in
            -- our own schemas; `channels/extension_member` checks the rest.
            and (
                n.nspowner = (select ours.nspowner from pg_catalog.pg_namespace as ours where ours.nspname = 'app')
                or not exists (
                    select
                    from pg_catalog.pg_depend as d
                    where
                        d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                        and d.objid = c.oid
                        and d.deptype = 'e'
                )
            )
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
                        ) !~ '\mapp\.(tenant|account|api_key|subject|role)\('
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
    ) as unprotected,
    -- Where the context is kept: for those who may set the parameter, or in a setting of all.
    exists (
        select
        from pg_catalog.pg_proc as f
        join pg_catalog.pg_namespace as n on n.oid = f.pronamespace
        where
            n.nspname = 'app'
            and f.proname = 'context'
            and lower(pg_catalog.pg_get_function_sqlbody(f.oid))
            = 'return current_setting(''backtrace_functions''::text)'
    ) as sealed,
    (
        select pg_catalog.has_parameter_privilege(gate.oid, 'backtrace_functions', 'set')
        from pg_catalog.pg_roles as gate
        where gate.rolname = 'appointd_gate'
    ) is true as can_enter,
    pg_catalog.has_parameter_privilege('backtrace_functions', 'set') as can_forge,
    pg_catalog.pg_is_in_recovery() or pg_catalog.current_setting('transaction_read_only')::boolean as read_only
from pg_catalog.pg_roles as r
where r.rolname = current_user
