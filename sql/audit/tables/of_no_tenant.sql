-- error: A table belongs to no organization
--
-- Every table has a column `tenant_id`, except those named below, which are about people or about all organizations. No
-- policy can separate the rows of another table without it.

select
    c.oid::regclass::text as object,
    'no column tenant_id, and not one of the tables that are known to be global' as found,
    format(
        'alter table %s add column tenant_id uuid not null default app.tenant(); '
        'call app.build_wall(%L, ''viewer''); -- with a tenant for each existing row',
        c.oid::regclass, c.oid::regclass
    ) as fix
from pg_class as c
join pg_namespace as n on n.oid = c.relnamespace
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not c.relispartition
    and not exists (
        select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
    )
    and format('%s.%s', n.nspname, c.relname) not in (
        -- The tenants themselves: their id is the tenant.
        'tenancy.organizations',
        -- People: one account for all organizations a person belongs to.
        'identity.accounts',
        'identity.one_time_tokens',
        'identity.recovery_codes',
        'identity.refresh_tokens',
        'identity.second_factors',
        'identity.sessions',
        'identity.sign_in_failures',
        -- The same for all tenants.
        'tenancy.features',
        'tenancy.plan_features',
        'tenancy.plans',
        'app.migrations',
        -- Which host leads to which organization, looked up before a tenant is known. Its policies compare
        -- organization_id.
        'tenancy.verified_domains',
        -- Names that organizations gave up: the same.
        'tenancy.former_names',
        -- Of addresses, which get mails from all organizations together.
        'messaging.mail_budgets',
        -- The key of proofs.
        'app.proof_key',
        -- What is done regularly for the whole server.
        'messaging.cron_runs'
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
    )
order by 1
