-- $1 tenant_id, $2 job, $3 token, $4 seconds until the next attempt, $5 error
--
-- Sent as appointd_worker.
update messaging.jobs
set
    state = case when attempt >= max_attempts then 'dead' else 'scheduled' end,
    run_at = now() + make_interval(secs => $4), lease_until = null, lease_token = null, leases_lost = 0,
    last_error = left($5, 500), updated_at = now()
where tenant_id = $1 and id = $2 and lease_token = $3
returning state
