-- $1 tenant_id, $2 id
with gone as (
    delete from work.checklist_items
    where tenant_id = $1 and id = $2
    returning id, task_id
),
touched as (
    update work.tasks as t
    set updated_at = now()
    from gone as g
    where t.tenant_id = $1 and t.id = g.task_id
)
select id
from gone
