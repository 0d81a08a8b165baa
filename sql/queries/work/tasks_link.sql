-- $1 tenant_id, $2 id, $3 kinds and $4 ids of objects: what it is linked to from now on
with gone as (
    delete from work.task_links
    where tenant_id = $1 and task_id = $2 and record_id <> all ($4)
    returning record_id
),
added as (
    insert into work.task_links (task_id, contact_id, appointment_id, service_id, provider_id)
    select
        $2::uuid,
        case when w.kind = 'contact' then w.id end,
        case when w.kind = 'appointment' then w.id end,
        case when w.kind = 'service' then w.id end,
        case when w.kind = 'provider' then w.id end
    from unnest($3::text[], $4::uuid[]) as w (kind, id)
    on conflict do nothing
    returning record_id
)
update work.tasks
set updated_at = now()
where tenant_id = $1 and id = $2 and (exists (select from gone) or exists (select from added))
