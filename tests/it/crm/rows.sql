-- Preferences of a contact of the organization {tenant}.
insert into crm.message_preferences (tenant_id, contact_id, thanks)
select c.tenant_id, c.id, false
from crm.contacts as c
where c.tenant_id = '{tenant}'
order by c.account_id nulls last
limit 1
on conflict do nothing;
