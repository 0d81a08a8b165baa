-- $1 tenant_id, $2 after this position, or null from the oldest on, $3 types or null, $4 id of the object or null,
-- $5 row limit
--
-- Returns how far events are published, and the role of the reader, beside each event, and without an event if none
-- follows: one statement, so that all is of one moment.
select
    t.last_position, t.oldest_position, app.role() as role,
    e.id, e.position, e.type, e.occurred_at, e.actor_kind, e.actor_id, e.request_id, e.subject_id, e.data, e.previous
from messaging.turns as t
left join lateral (
    select v.*
    from messaging.events as v
    where
        v.tenant_id = $1
        and v.position > coalesce($2::bigint, 0)
        and ($3::text[] is null or v.type = any ($3))
        and ($4::uuid is null or v.subject_id = $4)
    order by v.position
    limit $5
) as e on true
where t.tenant_id = $1
order by e.position
