-- $1 tenant_id, $2 id; how a completed task repeats; no row if it does not
select t.repeat_frequency as frequency, t.repeat_every as every, t.repeat_from as starts_from, t.repeat_day as day,
    t.due_on, t.completed_at
from work.tasks as t
where t.tenant_id = $1 and t.id = $2 and t.status = 'done' and t.repeat_frequency is not null
