-- $1 tenant_id, $2 id, $3 task, $4 text, $5 the most steps that a task has; no row if the task has as many
--
-- The task was locked by the statement before.
with touched as (
    update work.tasks
    set updated_at = now()
    where tenant_id = $1 and id = $3
    returning id
)
insert into work.checklist_items (id, task_id, text)
select $2::uuid, t.id, $4::text
from touched as t
where (select count(*) from work.checklist_items as i where i.tenant_id = $1 and i.task_id = $3) < $5
returning id, task_id, text, done, created_at
