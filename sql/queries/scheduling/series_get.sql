-- $1 tenant_id, $2 id
select id, frequency, every, occurrences, time_zone, created_at
from scheduling.series
where tenant_id = $1 and id = $2
