-- $1 tenant_id, $2 contact, $3 reminders, $4 thanks; null keeps a value. Returns no row if the contact does not exist
insert into crm.message_preferences as p (contact_id, reminders, thanks)
select c.id, coalesce($3, true), coalesce($4, true)
from crm.contacts as c
where c.tenant_id = $1 and c.id = $2
on conflict on constraint message_preferences_pkey do update
set reminders = coalesce($3, p.reminders), thanks = coalesce($4, p.thanks), updated_at = now()
returning reminders, thanks
