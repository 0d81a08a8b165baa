-- $1 tenant_id, $2 id; makes a dead job ready again, with all its attempts. Returns whether it was dead, and no row for
-- an unknown id
with found as (
    select j.id, j.state
    from messaging.jobs as j
    where j.tenant_id = $1 and j.id = $2
),
changed as (
    update messaging.jobs as j
    set state = 'ready', attempt = 0, leases_lost = 0, run_at = now(), updated_at = now()
    where j.tenant_id = $1 and j.id = $2 and j.state = 'dead'
    returning
        j.id, j.kind, j.key, j.payload, j.state, j.run_at, j.attempt, j.max_attempts, j.last_error, j.created_at
)
select
    f.state = 'dead' as was_dead, c.id, c.kind, c.key, c.payload, c.state, c.run_at, c.attempt, c.max_attempts,
    c.last_error, c.created_at
from found as f
left join changed as c on true
