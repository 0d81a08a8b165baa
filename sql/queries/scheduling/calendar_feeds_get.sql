-- $1 tenant_id, $2 id
select id, provider_id, name, created_at, created_by
from scheduling.calendar_feeds
where tenant_id = $1 and id = $2
