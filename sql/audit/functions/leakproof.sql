-- error: A function is said not to leak
--
-- A LEAKPROOF function is called on rows before the policies are asked. Only a superuser can say so, and nobody checks
-- whether it is true: one that raises an error with its argument in it shows every row.

select
    f.oid::regprocedure::text as object,
    'marked LEAKPROOF' as found,
    format('alter function %s not leakproof;', f.oid::regprocedure) as fix
from pg_proc as f
where f.oid >= 16384 and f.proleakproof
order by 1
