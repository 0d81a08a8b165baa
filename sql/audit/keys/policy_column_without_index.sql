-- warning: A policy compares a column that no index begins with
--
-- In the tables about people or all organizations, the policies of the server compare another column than the tenant.
-- Without an index that begins with it, reading one person's row reads all rows.

select
    format('%s.%I', c.oid::regclass, a.attname) as object,
    format('compared by policy %s', string_agg(distinct quote_ident(p.polname), ', ')) as found,
    format('create index on %s (%I);', c.oid::regclass, a.attname) as fix
from pg_policy as p
join pg_class as c on c.oid = p.polrelid
join pg_depend as d
    on d.classid = 'pg_policy'::regclass
    and d.objid = p.oid
    and d.refclassid = 'pg_class'::regclass
    and d.refobjid = c.oid
    and d.refobjsubid > 0
join pg_attribute as a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where
    p.polpermissive
    and p.polroles @> array[to_regrole('appointd_api')::oid]
    and not exists (select from pg_attribute as t where t.attrelid = c.oid and t.attname = 'tenant_id')
    and not exists (
        select
        from pg_index as i where i.indrelid = c.oid and i.indkey[0] = a.attnum and i.indpred is null and i.indisvalid
    )
group by c.oid, a.attname
order by 1
