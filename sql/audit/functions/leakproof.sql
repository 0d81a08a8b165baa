-- error: A function is marked LEAKPROOF
--
-- A LEAKPROOF function is called on rows before policies are checked. Only a superuser can set the mark, and PostgreSQL
-- does not verify it: a function that raises an error with its argument shows every row.

select
    f.oid::regprocedure::text as object,
    'marked LEAKPROOF' as found,
    format('alter function %s not leakproof;', f.oid::regprocedure) as fix
from pg_proc as f
where f.oid >= 16384 and f.proleakproof
order by 1
