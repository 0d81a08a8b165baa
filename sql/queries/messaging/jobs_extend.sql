-- $1 tenant_id, $2 jobs, $3 their tokens, $4 seconds of the lease; extends leases, and returns those that are held
--
-- Sent as appointd_worker.
update messaging.jobs as j
set lease_until = now() + make_interval(secs => $4)
from unnest($2::uuid[], $3::uuid[]) as h (id, token)
where j.tenant_id = $1 and j.id = h.id and j.lease_token = h.token and j.state = 'running'
returning j.id
