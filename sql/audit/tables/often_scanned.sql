-- note: A big table is often read from one end to the other
--
-- More than ten thousand rows, and more than half of at least fifty looks at it read all of them.

select
    s.relid::regclass::text as object,
    format(
        '%s sequential scans of %s rows, %s by an index',
        s.seq_scan,
        s.n_live_tup,
        coalesce(s.idx_scan, 0)
    ) as found,
    format(
        '-- see which statement does: sql/audit/statements/scan.sql; create index on %s (tenant_id, …);',
        s.relid::regclass
    ) as fix
from pg_stat_user_tables as s
where s.n_live_tup >= 10000 and s.seq_scan >= 50 and s.seq_scan >= coalesce(s.idx_scan, 0)
order by 1
