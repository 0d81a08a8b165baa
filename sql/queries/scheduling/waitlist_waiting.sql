-- $1 first instants and $2 end instants of freed time (parallel arrays), $3 created_at and $4 id of the last entry that
-- was tried, $5 row limit
select id, service_id, provider_id, contact_id, from_instant, to_instant, created_at
from scheduling.waiting_for($1, $2, $3, $4, $5)
