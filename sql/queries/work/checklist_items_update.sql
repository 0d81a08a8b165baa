-- $1 tenant_id, $2 id, $3 text, $4 whether it is done (null keeps them)
with changed as (
    update work.checklist_items
    set text = coalesce($3, text), done = coalesce($4, done)
    where tenant_id = $1 and id = $2
    returning id, task_id, text, done, created_at
),
touched as (
    update work.tasks as t
    set updated_at = now()
    from changed as c
    where t.tenant_id = $1 and t.id = c.task_id
)
select id, task_id, text, done, created_at
from changed
