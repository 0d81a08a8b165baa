-- docs/data-model.md from its first heading on, a line a row, read from the catalog: for each schema a diagram (keys and
-- foreign keys) and a table of what the tables hold. Partitions are left out: they come and go.
--
-- In psql: psql -At -f tests/it/db/data_model.sql
with tables as (
    select
        c.oid, n.nspname, c.relname, n.oid as namespace,
        obj_description(c.oid, 'pg_class') as what,
        exists (select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnotnull) as of_tenant
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where
        c.relkind in ('r', 'p') and not c.relispartition
        and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
),
schemas as (
    select
        t.nspname,
        obj_description(t.namespace, 'pg_namespace') as what,
        row_number() over (
            -- In the order in which the migrations make them, and last what all of them use.
            order by t.nspname = 'app', t.namespace
        ) as place
    from (select distinct nspname, namespace from tables) as t
),
foreign_keys as (
    select
        k.oid, k.conrelid, k.confrelid, k.conkey, k.conname,
        (
            select string_agg(a.attname, ', ' order by u.position)
            from unnest(k.conkey) with ordinality as u (attnum, position)
            join pg_attribute as a on a.attrelid = k.conrelid and a.attnum = u.attnum
            where a.attname <> 'tenant_id' or cardinality(k.conkey) = 1
        ) as label,
        exists (
            select
            from pg_attribute as a
            where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and not a.attnotnull
        ) as is_optional,
        exists (
            select
            from pg_index as i
            where
                i.indrelid = k.conrelid and i.indisunique and i.indpred is null
                and i.indnkeyatts <= cardinality(k.conkey)
                and (i.indkey::int2[])[0:i.indnkeyatts - 1] <@ k.conkey
        ) as is_single
    from pg_constraint as k
    where k.contype = 'f' and k.conparentid = 0 and k.conrelid in (select t.oid from tables as t)
),
columns as (
    select
        t.oid, a.attname, a.attnum,
        case when y.typelem <> 0 and y.typname ~ '^_' then substr(y.typname, 2) || '[]' else y.typname end as type,
        exists (
            select from pg_constraint as p where p.conrelid = t.oid and p.contype = 'p' and a.attnum = any (p.conkey)
        ) as is_primary,
        exists (select from foreign_keys as f where f.conrelid = t.oid and a.attnum = any (f.conkey)) as is_foreign
    from tables as t
    join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    join pg_type as y on y.oid = a.atttypid
),
lines as (
    select s.place, 0 as part, null::name as of_table, 0 as number, l.number as sub, l.line
    from schemas as s
    cross join lateral unnest(array[
        '## ' || s.nspname, '', coalesce(s.what, ''), '', '```mermaid', 'erDiagram'
    ]) with ordinality as l (line, number)
    union all
    select s.place, 1, t.relname, 0, 0, '    "' || t.relname || '" {'
    from tables as t
    join schemas as s on s.nspname = t.nspname
    union all
    select
        s.place, 1, t.relname, 1, c.attnum,
        '        ' || c.type || ' ' || c.attname || ' '
        || case when c.is_primary and c.is_foreign then 'PK,FK' when c.is_primary then 'PK' else 'FK' end
    from columns as c
    join tables as t on t.oid = c.oid
    join schemas as s on s.nspname = t.nspname
    where c.is_primary or c.is_foreign
    union all
    select s.place, 1, t.relname, 2, 0, '    }'
    from tables as t
    join schemas as s on s.nspname = t.nspname
    union all
    select
        s.place, 2, t.relname, 0, row_number() over (partition by t.oid order by f.conname),
        '    "' || case when r.nspname = t.nspname then '' else r.nspname || '.' end || r.relname || '" '
        || case when f.is_optional then '|o' else '||' end || '--' || case when f.is_single then 'o|' else 'o{' end
        || ' "' || t.relname || '" : "' || f.label || '"'
    from foreign_keys as f
    join tables as t on t.oid = f.conrelid
    join tables as r on r.oid = f.confrelid
    join schemas as s on s.nspname = t.nspname
    union all
    select s.place, 3, null, 0, l.number, l.line
    from schemas as s
    cross join unnest(array['```', '', '| Table | Of a tenant | What it holds |', '| --- | --- | --- |'])
        with ordinality as l (line, number)
    union all
    select
        s.place, 4, t.relname, 0, 0,
        '| `' || t.relname || '` | ' || case when t.of_tenant then 'yes' else 'no' end || ' | '
        || coalesce(replace(t.what, '|', '\|'), '') || ' |'
    from tables as t
    join schemas as s on s.nspname = t.nspname
    union all
    select s.place, 5, null, 0, 0, '' from schemas as s where s.place < (select max(place) from schemas)
)
select line
from lines
order by place, part, of_table, number, sub
