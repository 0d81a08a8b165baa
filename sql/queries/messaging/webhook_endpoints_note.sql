-- $1 tenant_id, $2 id, $3 whether an attempt failed; returns for how many seconds all have failed
--
-- Written only when it begins to fail or ends to.
--
-- Sent as appointd_worker.
with changed as (
    update messaging.webhook_endpoints as w
    set failing_since = case when $3 then now() end
    where w.tenant_id = $1 and w.id = $2 and (w.failing_since is null) = $3
)
select case when $3 then coalesce(extract(epoch from now() - w.failing_since), 0) else 0 end::float8 as seconds
from messaging.webhook_endpoints as w
where w.tenant_id = $1 and w.id = $2
