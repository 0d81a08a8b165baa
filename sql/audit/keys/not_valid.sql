-- error: A constraint or an index is not valid
--
-- A constraint that was never validated may be broken by rows that were there before it; an index whose building failed
-- is kept up to date and never used, and if it is unique it keeps nothing.

select
    k.conrelid::regclass || ' constraint ' || quote_ident(k.conname) as object,
    'not validated' as found,
    format('alter table %s validate constraint %I;', k.conrelid::regclass, k.conname) as fix
from pg_constraint as k
where k.conrelid >= 16384 and not k.convalidated
union all
select i.indexrelid::regclass::text, 'invalid', format('reindex index concurrently %s;', i.indexrelid::regclass)
from pg_index as i
where i.indrelid >= 16384 and not (i.indisvalid and i.indisready and i.indislive)
order by 1
