-- $1 tenant_id, $2 id
select
    t.id, t.tenant_id as organization_id, t.title, t.description, t.status, t.priority, t.assignee_id, t.due_on,
    t.completed_at,
    array(
        select g.tag
        from work.task_tags as g
        where g.tenant_id = $1 and g.task_id = t.id
        order by g.tag
    ) as tags,
    (
        select
            coalesce(
                jsonb_agg(jsonb_build_object('kind', l.kind, 'id', l.record_id) order by l.kind, l.record_id), '[]'
            )
        from work.task_links as l
        where l.tenant_id = $1 and l.task_id = t.id
    ) as links,
    case
        when t.repeat_frequency is not null
            then jsonb_build_object(
                'frequency', t.repeat_frequency, 'every', t.repeat_every, 'from', t.repeat_from
            )
    end as repeat,
    c.items as checklist_items, c.done as checklist_done, t.follows_id, t.created_by, t.created_at, t.updated_at
from work.tasks as t
cross join lateral (
    select count(*) as items, count(*) filter (where i.done) as done
    from work.checklist_items as i
    where i.tenant_id = $1 and i.task_id = t.id
) as c
where t.tenant_id = $1 and t.id = $2
