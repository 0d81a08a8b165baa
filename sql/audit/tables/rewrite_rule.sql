-- error: A rule rewrites statements
--
-- A rule (create rule) turns a statement into another, or into several, with the rights of the owner of the table.

select
    r.ev_class::regclass::text as object,
    format('rule %I rewrites its statements', r.rulename) as found,
    format('drop rule %I on %s;', r.rulename, r.ev_class::regclass) as fix
from pg_rewrite as r
join pg_class as c on c.oid = r.ev_class
where c.oid >= 16384 and c.relpersistence <> 't' and r.ev_type <> '1'
order by 1
