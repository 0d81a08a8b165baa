-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids or null for any, $5 whether
-- active, or null for either, $6 updated at or after, or null
select id, kind, name, active, created_at, updated_at
from scheduling.resources
where tenant_id = $1 and kind in ('room', 'equipment') and id > $2 and (id = any ($4) or $4 is null)
    and (active = $5 or $5 is null) and (updated_at >= $6 or $6 is null)
order by id
limit $3
