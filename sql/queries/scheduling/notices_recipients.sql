-- $1 tenant_id, $2 providers; whether the organization notifies its customers by e-mail, and the account of each
-- provider who has one. At least one row; without such a provider its ids are null
--
-- Sent as appointd_worker.
select s.notify_by_email, p.id as provider_id, p.account_id
from tenancy.settings as s
left join scheduling.providers as p
    on p.tenant_id = s.tenant_id and p.id = any ($2) and p.account_id is not null
where s.tenant_id = $1
