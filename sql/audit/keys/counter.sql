-- warning: A sequence counts the rows of all organizations
--
-- A sequence or identity column is shared: from two of its values an organization learns how many rows all others have
-- added in between. Ids are UUIDs.

select
    format('%s.%I', a.attrelid::regclass, a.attname) as object,
    'filled from a sequence' as found,
    format(
        'alter table %s alter %I drop identity if exists, alter %I drop default;',
        a.attrelid::regclass,
        a.attname,
        a.attname
    ) as fix
from pg_attribute as a
join pg_class as c on c.oid = a.attrelid
left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
where
    c.oid >= 16384
    and c.relkind in ('r', 'p')
    and c.relpersistence <> 't'
    and not a.attisdropped
    and (a.attidentity <> '' or pg_get_expr(d.adbin, d.adrelid) like '%nextval(%')
    and exists (select from pg_attribute as t where t.attrelid = c.oid and t.attname = 'tenant_id')
    -- No organization reads it: events get other numbers when they are published.
    and a.attrelid::regclass is distinct from to_regclass('messaging.outbox')
union all
select
    c.oid::regclass::text,
    format('%s may read or move it', a.grantee::regrole),
    format(
        'revoke all on sequence %s from %s;',
        c.oid::regclass,
        case a.grantee when 0 then 'public' else a.grantee::regrole::text end
    )
from pg_class as c
cross join lateral aclexplode(c.relacl) as a
where c.oid >= 16384 and c.relkind = 'S' and a.grantee <> c.relowner
order by 1
