-- $1 tenant_id, $2 after this position, or null from the oldest on, $3 row limit
--
-- As events_list.sql, for a customer: the policies show the events about their contact. Of the object they see what its
-- own operations show them, and of other people nothing.
select
    t.last_position, t.oldest_position, app.role() as role,
    e.id, e.position, e.type, e.occurred_at, e.actor_kind, null::uuid as actor_id, null::text as request_id,
    e.subject_id, coalesce(own.data, '{}') as data, own.previous
from messaging.turns as t
left join lateral (
    select v.*
    from messaging.events as v
    where v.tenant_id = $1 and v.position > coalesce($2::bigint, 0) and v.contact_id is not null
    order by v.position
    limit $3
) as e on true
left join lateral (
    select
        jsonb_object_agg(d.key, d.value) filter (where d.part = 'data') as data,
        jsonb_object_agg(d.key, d.value) filter (where d.part = 'previous') as previous
    from (
        select 'data' as part, w.key, w.value from jsonb_each(e.data) as w
        union all
        select 'previous', w.key, w.value from jsonb_each(e.previous) as w
    ) as d
    where
        d.key in (
            'id', 'service_id', 'service_name', 'provider_id', 'provider_name', 'starts_at', 'ends_at', 'status',
            'from_instant', 'to_instant', 'appointment_id'
        )
) as own on true
where t.tenant_id = $1
order by e.position
