-- $1 tenant_id, $2 services; when the organization reminds and thanks customers of each of the services; no row
-- if it does not notify them by e-mail
--
-- Sent as appointd_worker.
select
    v.id as service_id, coalesce(v.reminder_minutes, s.reminder_minutes) as reminder_minutes, s.thanks_after_minutes
from tenancy.settings as s
join scheduling.services as v on v.tenant_id = s.tenant_id and v.id = any ($2)
where s.tenant_id = $1 and s.notify_by_email
