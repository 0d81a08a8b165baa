-- $1 tenant_id, $2 contact; what the contact wants to be told
select coalesce(p.reminders, true) as reminders, coalesce(p.thanks, true) as thanks
from crm.contacts as c
left join crm.message_preferences as p on p.tenant_id = c.tenant_id and p.contact_id = c.id
where c.tenant_id = $1 and c.id = $2
