-- sql/schema/*.sql, read from the catalog: a row a piece of text, in the order of the files. `verbatim` is the body of
-- a function, as it was written; everything else is laid out by tests/it/schema.rs. Partitions are left out: they come
-- and go.
with schemas as (
    select n.oid, n.nspname, n.nspowner, n.nspacl
    from pg_namespace as n
    where n.oid >= 16384 and n.nspname !~ '^pg_'
),
tables as (
    select c.*, n.nspname, format('%I.%I', n.nspname, c.relname) as name
    from pg_class as c
    join schemas as n on n.oid = c.relnamespace
    where c.relkind not in ('i', 'I', 't') and not c.relispartition
),
functions as (
    select
        f.*, n.nspname,
        case f.prokind when 'p' then 'procedure' else 'function' end as kind,
        row_number() over (partition by n.oid order by f.proname, f.oid::regprocedure::text collate "C") as place
    from pg_proc as f
    join schemas as n on n.oid = f.pronamespace
    where
        not exists (
            select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
        )
),
-- Rights of others than the owner: for each grantee those on the whole, and a row for each right on columns.
rights as (
    select
        g.catalog, g.id, g.grantee, g.of_columns,
        case
            when g.of_columns is null then string_agg(
                g.verb, ', ' order by array_position(array['select', 'insert', 'update'], g.verb), g.verb
            )
            else g.of_columns || ' (' || string_agg(g.column_name, ', ' order by g.attnum) || ')'
        end as given
    from (
        select
            thing.catalog, thing.id, thing.column_name, thing.attnum, lower(x.privilege_type) as verb,
            case when thing.attnum is not null then lower(x.privilege_type) end as of_columns,
            case x.grantee when 0 then 'public' else x.grantee::regrole::text end as grantee
        from (
            select 'table', t.oid, null::name, null::int2, t.relacl, t.relowner from tables as t
            union all
            select 'table', t.oid, a.attname, a.attnum, a.attacl, t.relowner
            from tables as t
            join pg_attribute as a on a.attrelid = t.oid
            union all
            select 'function', f.oid, null, null, coalesce(f.proacl, acldefault('f', f.proowner)), f.proowner
            from functions as f
            union all
            select 'schema', s.oid, null, null, s.nspacl, s.nspowner from schemas as s
        ) as thing (catalog, id, column_name, attnum, acl, owner)
        cross join lateral aclexplode(thing.acl) as x
        where x.grantee <> thing.owner
    ) as g
    group by g.catalog, g.id, g.grantee, g.of_columns
),
-- Columns and constraints, as they stand between the parentheses of a table.
parts as (
    select
        t.oid, 0 as kind, a.attnum as place, null::name as name, col_description(t.oid, a.attnum) as what,
        concat_ws(
            ' ',
            quote_ident(a.attname),
            format_type(a.atttypid, a.atttypmod),
            case when a.attnotnull then 'not null' end,
            case
                when a.attgenerated <> '' then 'generated always as (' || e.text || ') stored'
                else 'default ' || e.text
            end
        ) as text
    from tables as t
    join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on d.adrelid = t.oid and d.adnum = a.attnum
    cross join lateral (select trim(pg_get_expr(d.adbin, d.adrelid, true)) as text) as e
    union all
    select
        t.oid, 1, array_position(array['p', 'u', 'f', 'c', 'x'], k.contype::text), k.conname,
        obj_description(k.oid, 'pg_constraint'),
        format('constraint %I %s', k.conname, pg_get_constraintdef(k.oid, true))
    from tables as t
    join pg_constraint as k on k.conrelid = t.oid
    -- Since 18 NOT NULL is a constraint of its own.
    where k.contype <> 'n' and k.contype <> 't'
),
pieces (nspname, kind, name, place, part, sub, verbatim, text) as (
    select
        s.nspname, 0, ''::name, 0::bigint, 0, ''::text, false,
        format(
            e'-- %s\ncreate schema %I authorization %s;',
            obj_description(s.oid, 'pg_namespace'), s.nspname, s.nspowner::regrole
        )
    from schemas as s
    union all
    select
        s.nspname, 0, '', 0, 1, r.grantee, false, format('grant %s on schema %I to %s;', r.given, s.nspname, r.grantee)
    from schemas as s
    join rights as r on r.catalog = 'schema' and r.id = s.oid
    union all
    select
        t.nspname, 1, t.relname, 0, 0, '', false,
        concat_ws(
            e'\n',
            e'\n\n-- ' || obj_description(t.oid, 'pg_class'),
            format('create table %s (', t.name),
            (
                select
                    string_agg(
                        concat_ws(
                            e'\n',
                            '    -- ' || p.what,
                            '    ' || p.text || case when p.last then '' else ',' end
                        ),
                        e'\n' order by p.kind, p.place, p.name
                    )
                from (
                    select p.*, row_number() over (order by p.kind desc, p.place desc, p.name desc) = 1 as last
                    from parts as p
                    where p.oid = t.oid
                ) as p
            ),
            concat_ws(
                ' ',
                ')',
                'partition by ' || pg_get_partkeydef(t.oid),
                'with (' || array_to_string(t.reloptions, ', ') || ')'
            ) || ';',
            case
                when t.relowner <> s.nspowner then format('alter table %s owner to %s;', t.name, t.relowner::regrole)
            end
        )
    from tables as t
    join schemas as s on s.oid = t.relnamespace
    union all
    select t.nspname, 1, t.relname, 0, 1, c.relname, false, pg_get_indexdef(i.indexrelid, 0, true) || ';'
    from tables as t
    join pg_index as i on i.indrelid = t.oid
    join pg_class as c on c.oid = i.indexrelid
    where not exists (select from pg_constraint as k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))
    union all
    select
        t.nspname, 1, t.relname, 0, 2, '', false,
        format(
            'alter table %s %s row level security, %s row level security;',
            t.name,
            case when t.relrowsecurity then 'enable' else 'disable' end,
            case when t.relforcerowsecurity then 'force' else 'no force' end
        )
    from tables as t
    union all
    select
        t.nspname, 1, t.relname, 0, 3, concat(p.polpermissive, p.polname), false,
        concat_ws(
            e'\n',
            format(
                'create policy %I on %s as %s for %s to %s',
                p.polname,
                t.name,
                case when p.polpermissive then 'permissive' else 'restrictive' end,
                case p.polcmd
                    when 'r' then 'select'
                    when 'a' then 'insert'
                    when 'w' then 'update'
                    when 'd' then 'delete'
                    else 'all'
                end,
                case when p.polroles = '{0}' then 'public' else (
                    select string_agg(r::regrole::text, ', ' order by r::regrole::text) from unnest(p.polroles) as r
                ) end
            ),
            '    using (' || regexp_replace(pg_get_expr(p.polqual, p.polrelid, true), '\s+', ' ', 'g') || ')',
            '    with check (' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid, true), '\s+', ' ', 'g') || ')'
        ) || ';'
    from tables as t
    join pg_policy as p on p.polrelid = t.oid
    union all
    select
        t.nspname, 1, t.relname, 0, 4, concat(r.grantee, ' ', r.of_columns), false,
        format('grant %s on %s to %s;', r.given, t.name, r.grantee)
    from tables as t
    join rights as r on r.catalog = 'table' and r.id = t.oid
    union all
    select
        t.nspname, 1, t.relname, 0, 5, g.tgname, false,
        regexp_replace(pg_get_triggerdef(g.oid, true), ' (FOR EACH|REFERENCING) ', e'\n\\1 ') || ';'
    from tables as t
    join pg_trigger as g on g.tgrelid = t.oid
    where not g.tgisinternal
    union all
    select
        f.nspname, 2, f.proname, f.place, 0, '', false,
        concat_ws(
            e'\n',
            e'\n\n-- ' || obj_description(f.oid, 'pg_proc'),
            format('create %s %I.%I(%s)', f.kind, f.nspname, f.proname, pg_get_function_arguments(f.oid)),
            'returns ' || pg_get_function_result(f.oid),
            concat_ws(
                ' ',
                'language',
                l.lanname,
                case f.provolatile when 'i' then 'immutable' when 's' then 'stable' end,
                case when f.proisstrict then 'strict' end,
                case f.proparallel when 's' then 'parallel safe' when 'r' then 'parallel restricted' end,
                case when f.prosecdef then 'security definer' end,
                case when f.proleakproof then 'leakproof' end
            ),
            (select string_agg('set ' || replace(s, '=', ' = '), e'\n' order by s) from unnest(f.proconfig) as s),
            case
                when f.prosqlbody is null then 'as $$'
                else regexp_replace(trim(pg_get_function_sqlbody(f.oid)), '\s+', ' ', 'g') || ';'
            end
        )
    from functions as f
    join pg_language as l on l.oid = f.prolang
    union all
    select f.nspname, 2, f.proname, f.place, 1, '', true, trim(f.prosrc, e'\n') || e'\n$$;'
    from functions as f
    where f.prosqlbody is null
    union all
    select
        f.nspname, 2, f.proname, f.place, 2, '', false,
        format('alter %s %s owner to %s;', f.kind, f.oid::regprocedure, f.proowner::regrole)
    from functions as f
    join schemas as s on s.oid = f.pronamespace
    where f.proowner <> s.nspowner
    union all
    select
        f.nspname, 2, f.proname, f.place, 2, r.grantee, false,
        format('grant %s on %s %s to %s;', r.given, f.kind, f.oid::regprocedure, r.grantee)
    from functions as f
    join rights as r on r.catalog = 'function' and r.id = f.oid
)
select
    nspname::text as schema, verbatim,
    -- A line apart: what begins another part.
    case when part <> lag(part) over whole and not verbatim then e'\n' else '' end || text as text
from pieces
window whole as (partition by nspname, kind, name, place order by part, sub collate "C")
order by nspname collate "C", kind, name collate "C", place, part, sub collate "C"
