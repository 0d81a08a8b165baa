-- error: A view calls a SECURITY DEFINER function
--
-- A role that may read the view may call the function through it, with the arguments that the view passes.

select
    c.oid::regclass::text as object,
    format('calls %s, as %s', f.oid::regprocedure, f.proowner::regrole) as found,
    format('drop view %s;', c.oid::regclass) as fix
from pg_class as c
join pg_rewrite as w on w.ev_class = c.oid
join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_proc'::regclass
join pg_proc as f on f.oid = d.refobjid
where c.oid >= 16384 and c.relkind in ('v', 'm') and f.prosecdef
group by c.oid, f.oid
order by 1, 2
