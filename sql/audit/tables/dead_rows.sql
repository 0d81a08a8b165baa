-- note: Half of a table is dead rows
--
-- More than half of a table, and more than ten thousand rows, were deleted or replaced and not yet vacuumed away:
-- queries of every organization read past them. Autovacuum is off for the table, or cannot keep up, or an old
-- transaction holds it back.

select
    s.relid::regclass::text as object,
    format('%s dead rows beside %s live ones', s.n_dead_tup, s.n_live_tup) as found,
    format('vacuum (analyze) %s;', s.relid::regclass) as fix
from pg_stat_user_tables as s
where s.n_dead_tup > 10000 and s.n_dead_tup > s.n_live_tup
order by 1
