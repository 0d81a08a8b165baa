-- warning: Two indexes are the same
--
-- Both are kept up to date with every change; one is read.

select
    min(i.indexrelid::regclass::text) as object,
    format('the same as %s', max(i.indexrelid::regclass::text)) as found,
    -- Never the one that keeps a constraint.
    format(
        'drop index %s;',
        coalesce(max(i.indexrelid::regclass::text) filter (where k.oid is null), max(i.indexrelid::regclass::text))
    ) as fix
from pg_index as i
join pg_class as c on c.oid = i.indexrelid
left join pg_constraint as k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x')
where i.indrelid >= 16384 and not c.relispartition
group by
    i.indrelid, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text, c.relam,
    pg_get_expr(i.indexprs, i.indrelid), pg_get_expr(i.indpred, i.indrelid)
having count(*) > 1
order by 1
