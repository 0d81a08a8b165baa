-- error: A key of a tenant's table does not begin with the tenant
--
-- Keys are checked below the policies. One without the tenant tells an organization that another one uses a value, and
-- `insert … on conflict do update … where` evaluates its condition on the hidden row before any policy is checked (in
-- every release up to now). With the tenant first, rows of different tenants never conflict.
--
-- Named below are the keys that organizations share on purpose: their names in URLs, and the time of a person who works
-- for several of them (which reveals only that the person is busy).

select
    i.indexrelid::regclass::text as object,
    pg_get_indexdef(i.indexrelid) as found,
    case
        when k.oid is null then format('drop index %s;', i.indexrelid::regclass)
        else format('alter table %s drop constraint %I;', i.indrelid::regclass, k.conname)
    end || ' -- and make it again with tenant_id first' as fix
from pg_index as i
join pg_class as c on c.oid = i.indrelid
join pg_namespace as n on n.oid = c.relnamespace
join pg_class as name on name.oid = i.indexrelid
join pg_attribute as a
    on a.attrelid = c.oid
    and (a.attname = 'tenant_id' or (a.attname = 'id' and n.nspname = 'tenancy' and c.relname = 'organizations'))
left join pg_constraint as k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
where
    c.oid >= 16384
    and (i.indisunique or i.indisexclusion)
    and i.indkey[0] <> a.attnum
    and format('%s.%s', n.nspname, name.relname) not in (
        'tenancy.organizations_slug_key',
        'tenancy.organizations_subdomain_key',
        'scheduling.shared_claims_no_overlap'
    )
order by 1
