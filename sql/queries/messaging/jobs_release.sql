-- $1 tenant_id, $2 jobs, $3 their tokens, $4 seconds until they are due again; gives jobs back, with their attempt
--
-- Sent as appointd_worker.
update messaging.jobs as j
set
    state = case when $4::double precision > 0 then 'scheduled' else 'ready' end,
    run_at = now() + make_interval(secs => $4), attempt = j.attempt - 1, lease_until = null, lease_token = null,
    updated_at = now()
from unnest($2::uuid[], $3::uuid[]) as h (id, token)
where j.tenant_id = $1 and j.id = h.id and j.lease_token = h.token
returning j.id
