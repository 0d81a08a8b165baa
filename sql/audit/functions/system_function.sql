-- error: Something of the system's own was changed
--
-- PostgreSQL's own functions, operators, casts, languages and views are as initdb made them. One that was changed
-- afterwards (a function to be LEAKPROOF and so look at rows before the policies do, or IMMUTABLE though it reads a
-- setting; an operator to call another function; pg_stats to show the values of tables with policies) decides what
-- every policy means. A row of the catalog that is younger than the databases initdb made last was written afterwards.
-- Taking rights on a function from PUBLIC writes it, too: what sql/setup/database.sql takes is known; accept what you
-- took yourself.

with made as (
    select max(age(d.xmin)) as age from pg_database as d where d.datname in ('template0', 'template1')
)
select
    format('routine %s', f.oid::regprocedure) as object,
    concat_ws(
        ', ',
        'changed since the cluster was made',
        case when f.prosecdef then 'runs as its owner' end,
        case when f.proowner <> 10 then format('belongs to %s', f.proowner::regrole) end,
        case when f.proleakproof then 'marked LEAKPROOF' end
    ) as found,
    format('-- compare %s with another cluster of this version', f.oid::regprocedure) as fix
from pg_proc as f
cross join made
where
    f.oid < 16384
    and age(f.xmin) < made.age
    and f.oid::regprocedure::text not in (
        'lo_creat(integer)', 'lo_create(oid)', 'lo_from_bytea(oid,bytea)', 'lo_put(oid,bigint,bytea)',
        'lowrite(integer,bytea)', 'set_config(text,text,boolean)'
    )
union all
select
    thing.name,
    'changed since the cluster was made',
    format('-- compare %s with another cluster of this version', thing.name)
from (
    select format('operator %s', o.oid::regoperator), o.oid, o.xmin from pg_operator as o
    union all
    select format('cast %s', c.oid), c.oid, c.xmin from pg_cast as c
    union all
    select format('language %I', l.lanname), l.oid, l.xmin from pg_language as l
    union all
    select format('operator class %I', o.opcname), o.oid, o.xmin from pg_opclass as o
    union all
    select format('operator %s of an index', a.amopopr::regoperator), a.oid, a.xmin from pg_amop as a
    union all
    select format('function %s of an index', a.amproc), a.oid, a.xmin from pg_amproc as a
    union all
    select format('view %s', w.ev_class::regclass), w.ev_class, w.xmin from pg_rewrite as w
) as thing (name, id, xmin)
cross join made
where thing.id < 16384 and age(thing.xmin) < made.age
union all
select
    format('view %s', c.oid::regclass),
    'no security_barrier',
    format('alter view %s set (security_barrier = true);', c.oid::regclass)
from pg_class as c
where
    c.oid in ('pg_stats'::regclass, 'pg_stats_ext'::regclass, 'pg_stats_ext_exprs'::regclass)
    and not coalesce('security_barrier=true' = any (c.reloptions), false)
order by 1, 2
