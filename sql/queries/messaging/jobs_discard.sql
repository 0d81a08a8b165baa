-- $1 tenant_id, $2 id; deletes a dead job. Returns whether it was dead, and no row for an unknown id
with found as (
    select j.state
    from messaging.jobs as j
    where j.tenant_id = $1 and j.id = $2
),
discarded as (
    delete from messaging.jobs as j
    where j.tenant_id = $1 and j.id = $2 and j.state = 'dead'
)
select f.state = 'dead' as was_dead
from found as f
