-- $1 tenant_id, $2 id of a completed task, $3 id of the next one, $4 when that is due; nothing if it has a next one
with done as (
    select t.*
    from work.tasks as t
    where t.tenant_id = $1 and t.id = $2
),
made as (
    insert into work.tasks (
        id, title, description, priority, assignee_id, due_on, board_position, repeat_frequency, repeat_every,
        repeat_from, repeat_day, follows_id
    )
    select
        $3::uuid, d.title, d.description, d.priority, d.assignee_id, $4::date,
        greatest(
            (extract(epoch from clock_timestamp()) * 1000000)::bigint,
            (select max(b.board_position) + 1 from work.tasks as b where b.tenant_id = $1 and b.status = 'todo')
        ),
        d.repeat_frequency, d.repeat_every, d.repeat_from, d.repeat_day, d.id
    from done as d
    on conflict (tenant_id, follows_id) do nothing
    returning id
),
tagged as (
    insert into work.task_tags (task_id, tag)
    select m.id, g.tag
    from made as m
    join work.task_tags as g on g.tenant_id = $1 and g.task_id = $2
),
linked as (
    insert into work.task_links (task_id, contact_id, appointment_id, service_id, provider_id)
    select m.id, l.contact_id, l.appointment_id, l.service_id, l.provider_id
    from made as m
    join work.task_links as l on l.tenant_id = $1 and l.task_id = $2
),
listed as (
    insert into work.checklist_items (id, task_id, text)
    -- The order of the steps is that of their ids, so these keep the time in which UUIDv7 begins.
    select overlay(gen_random_uuid()::text placing left(i.id::text, 18) from 1 for 18)::uuid, m.id, i.text
    from made as m
    join work.checklist_items as i on i.tenant_id = $1 and i.task_id = $2
)
select id
from made
