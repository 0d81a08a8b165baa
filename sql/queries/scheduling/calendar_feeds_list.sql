-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit, $4 ids and $5 updated at or after,
-- or null for any
select id, provider_id, name, created_at, created_by
from scheduling.calendar_feeds
where tenant_id = $1 and id > $2 and (id = any ($4) or $4 is null)
    and (updated_at >= $5 or $5 is null)
order by id
limit $3
