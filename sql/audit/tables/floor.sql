-- error: A table has no floor for some command
--
-- The floor is a restrictive policy for every role that requires the tenant: with it, a permissive policy that is added
-- later cannot open the table wider. It must begin with the tenant predicate and cover every command.
--
-- Four floors admit one more case for reading, for rows that must be found before a tenant is known; permissive
-- policies still hide these rows from the server. They are named below.

select
    c.oid::regclass::text as object,
    format(
        'no restrictive policy for every role that requires the tenant, for: %s',
        string_agg(command.name, ', ' order by command.name)
    ) as found,
    format(
        'drop policy if exists tenant_floor on %1$s; '
        'create policy tenant_floor on %1$s as restrictive for all to public '
        'using (%2$I = (select app.tenant())) with check (%2$I = (select app.tenant()));',
        c.oid::regclass, a.attname
    ) as fix
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a
    on a.attrelid = c.oid
    and (a.attname = 'tenant_id' or (a.attname = 'id' and n.nspname = 'tenancy' and c.relname = 'organizations'))
cross join (values ('select', 'r'), ('insert', 'a'), ('update', 'w'), ('delete', 'd')) as command (name, letter)
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relispartition
    and not exists (
        select
        from pg_policy as p
        cross join lateral (
            values
                (case when command.letter in ('r', 'w', 'd') then pg_get_expr(p.polqual, p.polrelid) end),
                (
                    case when command.letter in ('a', 'w') then coalesce(
                        pg_get_expr(p.polwithcheck, p.polrelid),
                        pg_get_expr(p.polqual, p.polrelid)
                    ) end
                )
        ) as part (expression)
        where
            p.polrelid = c.oid
            and not p.polpermissive
            and p.polroles = '{0}'
            and p.polcmd in ('*', command.letter::"char")
            and (
                (format('%s.%s', n.nspname, c.relname), command.letter, part.expression) in (
                    -- A person finds their own memberships.
                    (
                        'tenancy.members',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (account_id = ( SELECT app.account() AS account)))'
                    ),
                    -- The gate finds an organization by its name or host.
                    (
                        'tenancy.organizations',
                        'r',
                        '((id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    ),
                    -- The gate sees that a person is busy elsewhere, which holds have expired, and where freed time is
                    -- to be offered.
                    (
                        'scheduling.shared_claims',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    ),
                    (
                        'scheduling.freed_time',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    ),
                    -- And which have jobs, or events to publish.
                    (
                        'messaging.jobs',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    ),
                    (
                        'messaging.outbox',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    ),
                    (
                        'scheduling.holds',
                        'r',
                        '((tenant_id = ( SELECT app.tenant() AS tenant)) '
                        'OR (( SELECT CURRENT_USER AS "current_user") = ''appointd_gate''::name))'
                    )
                )
                or part.expression = format('(%I = ( SELECT app.tenant() AS tenant))', a.attname)
            )
            and part.expression is not null
        group by p.oid
        -- Both expressions of an update.
        having count(*) = case command.letter when 'w' then 2 else 1 end
    )
group by c.oid, a.attname
order by 1
