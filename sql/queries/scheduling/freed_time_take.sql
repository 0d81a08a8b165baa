-- $1 tenant_id, $2 whether the rows of this transaction or the oldest of others, $3 row limit
--
-- Locks and returns rows with the same progress: the entries up to after_created_at and after_entry_id were tried. The
-- bounds of freed_at, which an index serves, follow from $2.
with oldest as (
    select f.after_created_at, f.after_entry_id
    from scheduling.freed_time as f
    where
        f.tenant_id = $1
        and f.freed_at >= case when $2 then now() else '-infinity' end
        and f.freed_at <= case when $2 then now() else 'infinity' end
        and (f.freed_at = now()) = $2
    order by f.freed_at, f.id
    limit 1
)
select
    f.id, f.resource_id, f.service_id, f.service_starts_at, f.starts_at, f.ends_at, f.after_created_at,
    f.after_entry_id
from scheduling.freed_time as f
join oldest as o
    on o.after_created_at is not distinct from f.after_created_at
    and o.after_entry_id is not distinct from f.after_entry_id
where
    f.tenant_id = $1
    and f.freed_at >= case when $2 then now() else '-infinity' end
    and f.freed_at <= case when $2 then now() else 'infinity' end
    and (f.freed_at = now()) = $2
order by f.freed_at, f.id
limit $3
for update of f skip locked
