-- $1 tenant_id, $2 id
select id
from work.checklist_items
where tenant_id = $1 and id = $2
for no key update
