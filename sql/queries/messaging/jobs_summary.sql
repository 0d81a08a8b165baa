-- $1 tenant_id; how many jobs there are, by kind and state
select kind, state, count(*) as jobs, min(run_at) as oldest_at
from messaging.jobs
where tenant_id = $1
group by kind, state
order by kind, state
