-- $1 tenant_id, $2 services, $3 providers, $4 contacts; their names
--
-- Sent as appointd_worker.
select s.id, s.name
from scheduling.services as s
where s.tenant_id = $1 and s.id = any ($2)
union all
select p.id, p.name
from scheduling.providers as p
where p.tenant_id = $1 and p.id = any ($3)
union all
select c.id, concat_ws(' ', c.first_name, c.last_name)
from crm.contacts as c
where c.tenant_id = $1 and c.id = any ($4)
