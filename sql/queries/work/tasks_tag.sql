-- $1 tenant_id, $2 id, $3 tags: its only tags from now on
with gone as (
    delete from work.task_tags
    where tenant_id = $1 and task_id = $2 and tag <> all ($3)
    returning tag
),
added as (
    insert into work.task_tags (task_id, tag)
    select $2::uuid, w.tag
    from unnest($3::text[]) as w (tag)
    on conflict do nothing
    returning tag
)
update work.tasks
set updated_at = now()
where tenant_id = $1 and id = $2 and (exists (select from gone) or exists (select from added))
