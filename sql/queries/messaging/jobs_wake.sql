-- $1 tenant_id, $2 row limit; makes scheduled jobs that are due ready, and takes jobs from workers that have vanished
--
-- Three workers that vanish in a row over the same job: it may be the reason, and is dead.
--
-- Sent as appointd_worker.
with due as materialized (
    select j.id
    from messaging.jobs as j
    where j.tenant_id = $1 and j.state = 'scheduled' and j.run_at <= now()
    order by j.run_at
    limit $2
),
lost as materialized (
    select j.id
    from messaging.jobs as j
    where j.tenant_id = $1 and j.state = 'running' and j.lease_until <= now()
    limit $2
),
woken as (
    update messaging.jobs as j
    set state = 'ready', updated_at = now()
    from due as d
    where j.tenant_id = $1 and j.id = d.id and j.state = 'scheduled'
    returning false as vanished
),
taken as (
    update messaging.jobs as j
    set
        state = case when j.attempt >= j.max_attempts or j.leases_lost >= 2 then 'dead' else 'ready' end,
        leases_lost = j.leases_lost + 1, lease_until = null, lease_token = null, run_at = now(),
        last_error = 'the worker vanished', updated_at = now()
    from lost as l
    where j.tenant_id = $1 and j.id = l.id and j.state = 'running' and j.lease_until <= now()
    returning true as vanished
)
select w.vanished
from woken as w
union all
select t.vanished
from taken as t
