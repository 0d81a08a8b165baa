-- $1 tenant_id, $2 id, $3 text, $4 whether it is done (null keeps them)
with before as (
    select id, text, done
    from work.checklist_items
    where tenant_id = $1 and id = $2
    for no key update
),
changed as (
    update work.checklist_items as i
    set text = coalesce($3, i.text), done = coalesce($4, i.done)
    from before as b
    where i.tenant_id = $1 and i.id = b.id
    returning
        i.id, i.task_id, i.text, i.done, i.created_at, (i.text, i.done) is distinct from (b.text, b.done) as differs
),
touched as (
    update work.tasks as t
    set updated_at = now()
    from changed as c
    where t.tenant_id = $1 and t.id = c.task_id and c.differs
)
select id, task_id, text, done, created_at
from changed
