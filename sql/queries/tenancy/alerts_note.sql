-- $1 tenant_id, $2 what the owners know, $3 whether they were told today
--
-- Sent as appointd_worker.
update tenancy.alerts as a
set
    told = $2,
    told_on = case when $3 then (now() at time zone o.time_zone)::date else a.told_on end
from tenancy.organizations as o
where a.tenant_id = $1 and o.id = $1
