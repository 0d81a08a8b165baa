-- error: A function can do what PostgreSQL does not check
--
-- Functions in C or in an untrusted language (plpython3u, plperlu) run with the rights of the server process: they read
-- files, and the memory in which every organization's rows are. Extensions bring their own.

select
    f.oid::regprocedure::text as object,
    format('written in %s', l.lanname) as found,
    format('drop routine %s;', f.oid::regprocedure) as fix
from pg_proc as f
join pg_language as l on l.oid = f.prolang
where
    f.oid >= 16384
    and not l.lanpltrusted
    and l.lanname <> 'sql'
    -- Aggregates, and the constructors of range types, have this language too; they contain no code.
    and f.prokind <> 'a'
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'i'
    )
    and not exists (
        select from pg_depend as d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e'
    )
union all
select format('language %I', l.lanname), 'a language PostgreSQL did not bring', format('drop language %I;', l.lanname)
from pg_language as l
where l.oid >= 16384
order by 1
