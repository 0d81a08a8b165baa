-- $1 tenant_id; null for any: $2 statuses, $3 priorities, $4 assignee, $5 tag, $6 id of a linked object, $7 due on this
-- date or before, $8 updated at or after, $9 ids; $10 last id of the page before, or the nil UUID, $11 row limit, $12
-- rows to skip
--
-- The filters are one case: see crm/contacts_list.sql. Arrays of ids, because an index serves them also in a case.
with found as (
    select t.*
    from work.tasks as t
    where
        t.tenant_id = $1 and t.id > $10
        and case
            when num_nonnulls($2::text[], $3::text[], $4::uuid, $5::text, $6::uuid, $7::date) = 0
            and num_nonnulls($8::timestamptz, $9::uuid[]) = 0
                then true
            else
                (t.status = any ($2) or $2 is null) and (t.priority = any ($3) or $3 is null)
                and (t.assignee_id = $4 or $4 is null)
                and (
                    $5 is null
                    or t.id = any (
                        array(select g.task_id from work.task_tags as g where g.tenant_id = $1 and g.tag = $5)
                    )
                )
                and (
                    $6 is null
                    or t.id = any (
                        array(select l.task_id from work.task_links as l where l.tenant_id = $1 and l.record_id = $6)
                    )
                )
                and (t.due_on <= $7 or $7 is null) and (t.updated_at >= $8 or $8 is null)
                and (t.id = any ($9) or $9 is null)
        end
    order by t.id
    limit $11
    offset $12
)
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
from found as t
cross join lateral (
    select count(*) as items, count(*) filter (where i.done) as done
    from work.checklist_items as i
    where i.tenant_id = $1 and i.task_id = t.id
) as c
order by t.id
