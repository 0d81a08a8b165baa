-- $1 tenant_id; null for any: $2 statuses, $3 priorities, $4 assignee, $5 tag, $6 id of a linked object, $7 due on this
-- date or before, $8 updated at or after, $9 ids
select count(*) as total
from work.tasks as t
where
    t.tenant_id = $1 and (t.status = any ($2) or $2 is null) and (t.priority = any ($3) or $3 is null)
    and (t.assignee_id = $4 or $4 is null)
    and (
        $5::text is null
        or t.id = any (array(select g.task_id from work.task_tags as g where g.tenant_id = $1 and g.tag = $5))
    )
    and (
        $6::uuid is null
        or t.id = any (array(select l.task_id from work.task_links as l where l.tenant_id = $1 and l.record_id = $6))
    )
    and (t.due_on <= $7 or $7 is null) and (t.updated_at >= $8 or $8 is null) and (t.id = any ($9) or $9 is null)
