-- $1 tenant_id; the number of jobs by kind and state
select kind, state, count(*) as jobs, min(run_at) as oldest_at
from messaging.jobs
where tenant_id = $1
group by kind, state
order by kind, state
