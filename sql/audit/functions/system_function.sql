-- error: A function of the system was changed
--
-- PostgreSQL's own functions are as initdb made them. One that was changed afterwards (to run as its owner, to be
-- LEAKPROOF and so look at rows before the policies do, to be IMMUTABLE though it reads a setting, to do something
-- else) decides what every policy means. A row of the catalog that is younger than the database template0 was written
-- after initdb; those whose rights sql/setup/database.sql takes from PUBLIC are known.

select
    f.oid::regprocedure::text as object,
    concat_ws(
        ', ',
        'changed since the cluster was made',
        case when f.prosecdef then 'runs as its owner' end,
        case when f.proowner <> 10 then format('belongs to %s', f.proowner::regrole) end,
        case when f.proleakproof then 'marked LEAKPROOF' end
    ) as found,
    format('-- compare %s with another cluster of this version', f.oid::regprocedure) as fix
from pg_proc as f
where
    f.oid < 16384
    and age(f.xmin) < (select age(d.xmin) from pg_database as d where d.datname = 'template0')
    and f.oid::regprocedure::text not in (
        'lo_creat(integer)', 'lo_create(oid)', 'lo_from_bytea(oid,bytea)', 'lo_put(oid,bigint,bytea)', 'lowrite(integer,bytea)'
    )
order by 1
