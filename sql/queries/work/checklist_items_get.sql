-- $1 tenant_id, $2 id
select id, task_id, text, done, created_at
from work.checklist_items
where tenant_id = $1 and id = $2
