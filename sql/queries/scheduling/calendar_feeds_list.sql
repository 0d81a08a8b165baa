-- $1 tenant_id, $2 last id of the page before, or the nil UUID, $3 row limit
select id, provider_id, name, created_at, created_by
from scheduling.calendar_feeds
where tenant_id = $1 and id > $2
order by id
limit $3
