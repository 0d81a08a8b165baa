-- $1 tenant_id, $2 contact; locks its preferences; makes their row if it does not exist. Returns no row if the contact
-- does not exist
insert into crm.message_preferences (contact_id)
select c.id
from crm.contacts as c
where c.tenant_id = $1 and c.id = $2
on conflict on constraint message_preferences_pkey do update
set contact_id = excluded.contact_id
returning tenant_id
