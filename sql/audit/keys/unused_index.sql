-- note: An index is never read
--
-- The table was looked up by its indexes more than a hundred thousand times since statistics began, and never by this
-- one. Indexes that keep a key, or that serve a foreign key, are not reported.

select
    s.indexrelid::regclass::text as object,
    'read 0 times' as found,
    format('drop index %s;', s.indexrelid::regclass) as fix
from pg_stat_user_indexes as s
join pg_index as i on i.indexrelid = s.indexrelid
join pg_stat_user_tables as t on t.relid = s.relid
where
    s.idx_scan = 0
    and t.idx_scan > 100000
    and not i.indisunique
    and not i.indisexclusion
    and not exists (
        select
        from pg_constraint as k
        where k.contype = 'f' and k.conrelid = i.indrelid and i.indkey[0] = k.conkey[1] and i.indkey[1] = any (k.conkey)
    )
order by 1
