-- error: The database differs from what the migrations create
--
-- An object was changed by hand, or a migration was changed after it ran. The change was not reviewed, and the next
-- migration may fail on it. Every schema, table, column, constraint, index, policy, trigger and function, with the
-- rights on it, is compared with those that the migrations of this version create (sql/audit/schema/drift.txt). Not
-- compared: partitions, which change with time, and the rights on databases, types, parameters and objects of the
-- system, which other rules check. A database that lacks migrations of this version, or has those of a newer one,
-- differs as well: run `appointd migrate`, or the audit of that version.
--
-- This statement lists the catalog, one object per line (`appointd audit --inventory`). By hand:
--
--     psql -XAt -F ' | ' -f sql/audit/schema/drift.sql | diff sql/audit/schema/drift.txt -

with rights as (
    -- Who has which rights on what; those of the owner are implied.
    select catalog, id, column_number, string_agg(format('%s=%s', grantee, privileges), ' ' order by grantee) as given
    from (
        select
            catalog,
            id,
            column_number,
            case a.grantee when 0 then 'public' else a.grantee::regrole::text end as grantee,
            lower(
                string_agg(
                    a.privilege_type || case when a.is_grantable then '*' else '' end,
                    ',' order by a.privilege_type
                )
            ) as privileges
        from (
            select 'pg_class', c.oid, 0, c.relacl, c.relowner from pg_class as c where c.oid >= 16384
            union all
            select 'pg_class', col.attrelid, col.attnum, col.attacl, c.relowner
            from pg_attribute as col
            join pg_class as c on c.oid = col.attrelid
            where col.attrelid >= 16384
            union all
            select 'pg_proc', f.oid, 0, coalesce(f.proacl, acldefault('f', f.proowner)), f.proowner
            from pg_proc as f where f.oid >= 16384
            union all
            select 'pg_namespace', n.oid, 0, coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspowner
            from pg_namespace as n where n.oid >= 16384
        ) as thing (catalog, id, column_number, acl, owner)
        cross join lateral aclexplode(thing.acl) as a
        where a.grantee <> thing.owner
        group by catalog, id, column_number, a.grantee
    ) as grantees
    group by catalog, id, column_number
),
relations as (
    select c.*, format('%s.%s', n.nspname, c.relname) as name
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where
        c.oid >= 16384
        and c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c')
        and c.relpersistence <> 't'
        and not c.relispartition
        and not exists (
            select from pg_depend as d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
        )
),
functions as (
    select f.*
    from pg_proc as f
    where
        f.oid >= 16384
        and not exists (
            select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
        )
),
things (kind, name, definition) as (
    select 'schema', quote_ident(n.nspname), concat_ws('; ', 'owner ' || n.nspowner::regrole, r.given)
    from pg_namespace as n
    left join rights as r on r.catalog = 'pg_namespace' and r.id = n.oid
    where n.oid >= 16384 and n.nspname !~ '^pg_'
    union all
    select
        case c.relkind
            when 'v' then 'view'
            when 'm' then 'materialized view'
            when 'f' then 'foreign table'
            when 'S' then 'sequence'
            when 'c' then 'type'
            else 'table'
        end,
        c.name,
        concat_ws(
            '; ',
            'owner ' || c.relowner::regrole,
            case when c.relkind = 'p' then 'partition by ' || pg_get_partkeydef(c.oid) end,
            case when c.relpersistence = 'u' then 'unlogged' end,
            case when c.relkind in ('r', 'p') then format(
                'row-level security %s, %s',
                case when c.relrowsecurity then 'enabled' else 'off' end,
                case when c.relforcerowsecurity then 'forced' else 'not forced' end
            ) end,
            case c.relreplident when 'f' then 'replica identity full' when 'n' then 'no replica identity' end,
            array_to_string(c.reloptions, ', '),
            case when c.relkind in ('v', 'm') then pg_get_viewdef(c.oid) end,
            r.given
        )
    from relations as c
    left join rights as r on r.catalog = 'pg_class' and r.id = c.oid and r.column_number = 0
    union all
    select
        'column',
        format('%s.%I', c.name, a.attname),
        concat_ws(
            '; ',
            format_type(a.atttypid, a.atttypmod),
            case when a.attnotnull then 'not null' end,
            case when a.attidentity <> '' then 'identity' end,
            case
                when a.attgenerated <> '' then 'generated ' || pg_get_expr(d.adbin, d.adrelid)
                else 'default ' || pg_get_expr(d.adbin, d.adrelid)
            end,
            r.given
        )
    from pg_attribute as a
    join relations as c on c.oid = a.attrelid
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    left join rights as r on r.catalog = 'pg_class' and r.id = c.oid and r.column_number = a.attnum
    where a.attnum > 0 and not a.attisdropped and c.relkind <> 'S'
    union all
    select
        'constraint',
        format('%s %I', c.name, k.conname),
        concat_ws('; ', pg_get_constraintdef(k.oid), case when not k.convalidated then 'not validated' end)
    from pg_constraint as k
    join relations as c on c.oid = k.conrelid
    -- Since 18 NOT NULL is a constraint of its own.
    where k.contype in ('c', 'f', 'p', 'u', 'x')
    union all
    select
        'index',
        i.indexrelid::regclass::text,
        concat_ws(
            '; ',
            pg_get_indexdef(i.indexrelid),
            case when not (i.indisvalid and i.indisready and i.indislive) then 'not in use' end
        )
    from pg_index as i
    join relations as c on c.oid = i.indrelid
    union all
    select
        'policy',
        format('%s %I', c.name, p.polname),
        concat_ws(
            ' ',
            case when p.polpermissive then 'permissive' else 'restrictive' end,
            'for',
            case p.polcmd
                when 'r' then 'select'
                when 'a' then 'insert'
                when 'w' then 'update'
                when 'd' then 'delete'
                else 'all'
            end,
            'to',
            case when p.polroles = '{0}' then 'public' else (
                select string_agg(r::regrole::text, ', ' order by r::regrole::text) from unnest(p.polroles) as r
            ) end,
            'using ' || pg_get_expr(p.polqual, p.polrelid),
            'with check ' || pg_get_expr(p.polwithcheck, p.polrelid)
        )
    from pg_policy as p
    join relations as c on c.oid = p.polrelid
    union all
    select
        'trigger',
        format('%s %I', c.name, t.tgname),
        concat_ws('; ', pg_get_triggerdef(t.oid), case when t.tgenabled <> 'O' then 'not enabled as usual' end)
    from pg_trigger as t
    join relations as c on c.oid = t.tgrelid
    where not t.tgisinternal
    union all
    select 'rule', format('%s %I', c.name, w.rulename), pg_get_ruledef(w.oid)
    from pg_rewrite as w
    join relations as c on c.oid = w.ev_class
    where c.relkind not in ('v', 'm')
    union all
    select
        case f.prokind when 'p' then 'procedure' when 'a' then 'aggregate' else 'function' end,
        f.oid::regprocedure::text,
        concat_ws(
            '; ',
            'owner ' || f.proowner::regrole,
            l.lanname,
            'returns ' || pg_get_function_result(f.oid),
            case f.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end,
            case when f.prosecdef then 'security definer' end,
            case when f.proleakproof then 'leakproof' end,
            case when f.proisstrict then 'strict' end,
            case f.proparallel when 's' then 'parallel safe' when 'r' then 'parallel restricted' end,
            nullif(format('takes %s', pg_get_function_arguments(f.oid)), 'takes '),
            array_to_string(f.proconfig, ', '),
            -- The body, shortened to what tells it from any other.
            'body ' || left(
                encode(
                    sha256(
                        convert_to(
                            case when f.prokind = 'a' then '' else coalesce(
                                pg_get_function_sqlbody(f.oid),
                                f.prosrc
                            ) end,
                            'UTF8'
                        )
                    ),
                    'hex'
                ),
                16
            ),
            r.given
        )
    from functions as f
    join pg_language as l on l.oid = f.prolang
    left join rights as r on r.catalog = 'pg_proc' and r.id = f.oid
    union all
    select
        'type',
        format_type(t.oid, null),
        concat_ws(
            '; ',
            'owner ' || t.typowner::regrole,
            t.typtype::text,
            (select string_agg(e.enumlabel, ', ' order by e.enumsortorder) from pg_enum as e where e.enumtypid = t.oid)
        )
    from pg_type as t
    where
        t.oid >= 16384
        and t.typtype in ('e', 'd', 'r', 'b')
        and t.typcategory <> 'A'
        and not exists (
            select from pg_depend as d where d.classid = 'pg_type'::regclass and d.objid = t.oid and d.deptype = 'e'
        )
    union all
    select 'extension', quote_ident(e.extname), format('in schema %s', e.extnamespace::regnamespace)
    from pg_extension as e
    where e.extname in ('plpgsql', 'btree_gist')
)
select kind, name, regexp_replace(definition, '\s+', ' ', 'g') as definition
from things
order by kind collate "C", name collate "C", definition collate "C"
