-- error: A policy does not depend on the context
--
-- A permissive policy whose expression does not read the context of the transaction is the same for all: `true`,
-- `1 = 1`, `id is not null` and `tenant_id = tenant_id` all match every row.
--
-- The gate reads the tables about people, and the gate and the owner read the tables that are the same for all tenants;
-- these policies are named below. The server cannot connect as the gate: it only calls its functions.

select
    format('%s policy %I %s', p.polrelid::regclass, p.polname, part.name) as object,
    coalesce(part.expression, 'missing') as found,
    format('drop policy %I on %s;', p.polname, p.polrelid::regclass) as fix
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
join pg_namespace as n on n.oid = c.relnamespace
cross join lateral (
    values
        ('USING', p.polcmd <> 'a', pg_get_expr(p.polqual, p.polrelid)),
        (
            'WITH CHECK',
            p.polcmd in ('a', 'w', '*'),
            coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid))
        )
) as part (name, wanted, expression)
where
    p.polpermissive
    and part.wanted
    and coalesce(part.expression, 'true') !~ '\mapp\.(tenant|account|api_key|subject|role)\('
    and not (
        p.polroles <@ array[to_regrole('appointd_gate')::oid, to_regrole('appointd_owner')::oid]
        and (format('%s.%s', n.nspname, c.relname), p.polname) in (
            ('app.proof_key', 'gate_select'),
            ('identity.accounts', 'gate_select'),
            ('identity.accounts', 'gate_insert'),
            ('identity.accounts', 'gate_update'),
            ('identity.one_time_tokens', 'gate_all'),
            ('identity.recovery_codes', 'gate_all'),
            ('identity.refresh_tokens', 'gate_all'),
            ('identity.second_factors', 'gate_all'),
            ('identity.sessions', 'gate_all'),
            ('identity.sign_in_failures', 'gate_all'),
            ('tenancy.organizations', 'gate_select'),
            ('messaging.mail_budgets', 'gate_all'),
            ('messaging.cron_runs', 'gate_all'),
            ('tenancy.former_names', 'gate_all'),
            ('tenancy.verified_domains', 'gate_all'),
            ('tenancy.features', 'gate_select'),
            ('tenancy.features', 'owner_select'),
            ('tenancy.plan_features', 'gate_select'),
            ('tenancy.plan_features', 'owner_select'),
            ('tenancy.plans', 'gate_select'),
            ('tenancy.plans', 'owner_select'),
            -- In every organization: which holds have expired, where freed time is to be offered, when a person is
            -- busy.
            ('scheduling.freed_time', 'gate_select'),
            ('scheduling.holds', 'gate_select'),
            ('scheduling.shared_claims', 'gate_select'),
            -- In every organization: whether it has events to publish, or jobs.
            ('messaging.outbox', 'gate_select'),
            ('messaging.jobs', 'gate_select')
        )
    )
order by 1, 2
