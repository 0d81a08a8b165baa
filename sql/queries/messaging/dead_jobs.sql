-- $1 tenant_id; the number of dead jobs, and no row without any
select null::text as about, count(*) as count, null::bigint as most, min(j.updated_at) as since
from messaging.jobs as j
where j.tenant_id = $1 and j.state = 'dead'
having count(*) > 0
