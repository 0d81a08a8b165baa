-- error: A policy of a tenant's table does not begin with the tenant
--
-- Every permissive policy begins exactly with the tenant predicate:
--
--     tenant_id = (select app.tenant())
--
-- in its USING and in its WITH CHECK, and has no OR beside it. So the loss of the floor opens nothing, and reviewers
-- need not analyse expressions. The sub-select keeps a plan cached for one organization from being used for another.
--
-- The exceptions are the policies for lookups before a tenant is known; they are named below with their roles.

select
    format('%s policy %I %s', p.polrelid::regclass, p.polname, part.name) as object,
    format(
        'for %s: %s',
        case when p.polroles = '{0}' then 'every role' else (
            select string_agg(r::regrole::text, ', ') from unnest(p.polroles) as r
        ) end,
        coalesce(part.expression, 'missing')
    ) as found,
    format(
        'drop policy %I on %s; -- if a migration made it, make it again as sql/audit/schema/drift.txt has it',
        p.polname,
        p.polrelid::regclass
    ) as fix
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
join pg_namespace as n on n.oid = c.relnamespace
join pg_attribute as a
    on a.attrelid = c.oid
    and (a.attname = 'tenant_id' or (a.attname = 'id' and n.nspname = 'tenancy' and c.relname = 'organizations'))
cross join lateral (
    values
        ('USING', p.polcmd <> 'a', pg_get_expr(p.polqual, p.polrelid)),
        (
            'WITH CHECK',
            p.polcmd in ('a', 'w', '*'),
            coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid))
        )
) as part (name, wanted, expression)
cross join lateral (
    select format('%I = ( SELECT app.tenant() AS tenant)', a.attname) as predicate
) as tenant
where
    p.polpermissive
    and part.wanted
    and (
        part.expression is null
        or not (
            part.expression = format('(%s)', tenant.predicate) or starts_with(
                part.expression,
                format('((%s) AND ', tenant.predicate)
            )
        )
        or part.expression like '% OR %'
    )
    and (format('%s.%s', n.nspname, c.relname), p.polname, p.polroles, part.expression) not in (
        -- A person finds their own memberships, and so does the gate for them.
        (
            'tenancy.members', 'own_select', array[to_regrole('appointd_api')::oid],
            '(account_id = ( SELECT app.account() AS account))'
        ),
        (
            'tenancy.members', 'gate_select', array[to_regrole('appointd_gate')::oid],
            '(account_id = ( SELECT app.account() AS account))'
        ),
        -- The gate finds an organization by its name or host.
        ('tenancy.organizations', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true'),
        -- The gate sees that a person is busy elsewhere, which holds have expired, and where freed time is to be
        -- offered.
        ('scheduling.shared_claims', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true'),
        ('scheduling.holds', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true'),
        ('scheduling.freed_time', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true'),
        -- The gate finds the organizations that have events to publish, and those that have jobs.
        ('messaging.outbox', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true'),
        ('messaging.jobs', 'gate_select', array[to_regrole('appointd_gate')::oid], 'true')
    )
order by 1, 2
