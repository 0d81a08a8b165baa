-- $1 tenant_id, $2 lane, $3 kinds that this worker knows, $4 how many jobs of each may run in the organization, $5 row
-- limit, $6 token, $7 seconds of the lease
--
-- Claims the jobs that have been due for the longest. The row of messaging.turns is locked: no other worker counts or
-- claims in this organization until the commit. (A limit that is null would be none, hence coalesce.)
--
-- Sent as appointd_worker.
with busy as materialized (
    select j.kind, count(*) as jobs
    from messaging.jobs as j
    where j.tenant_id = $1 and j.state = 'running'
    group by j.kind
),
free as materialized (
    select k.kind, k.most - coalesce(b.jobs, 0) as jobs
    from unnest($3::text[], $4::integer[]) as k (kind, most)
    left join busy as b on b.kind = k.kind
    where coalesce(b.jobs, 0) < k.most
),
oldest as materialized (
    select j.id, j.kind, j.run_at
    from messaging.jobs as j
    where j.tenant_id = $1 and j.lane = $2 and j.state = 'ready' and j.kind in (select f.kind from free as f)
    order by j.run_at, j.id
    limit 100
),
ranked as materialized (
    select o.id, o.run_at, f.jobs, row_number() over (partition by o.kind order by o.run_at, o.id) as nth
    from oldest as o
    join free as f on f.kind = o.kind
),
picked as materialized (
    select r.id
    from ranked as r
    where r.nth <= r.jobs
    order by r.run_at, r.id
    limit greatest(
        0,
        least(
            $5::bigint,
            (select t.job_cap from messaging.turns as t where t.tenant_id = $1)
            - coalesce((select sum(b.jobs) from busy as b), 0)
        )
    )
)
update messaging.jobs as j
set
    state = 'running', attempt = j.attempt + 1, lease_until = now() + make_interval(secs => $7), lease_token = $6,
    updated_at = now()
from picked as p
where j.tenant_id = $1 and j.id = p.id and j.state = 'ready'
returning j.id, j.kind, j.key, j.payload, j.attempt, j.max_attempts, j.lease_token
