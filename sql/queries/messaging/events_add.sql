-- $1 tenant_id, $2 events with their positions, as a JSON array, $3 the last of these positions
--
-- Tells the servers, when it is committed, in which organization events are new. Only publishers notify: a notification
-- takes a lock of the whole cluster until its commit is on disk, for which no request should wait.
--
-- Sent as appointd_worker.
with numbered as (
    update messaging.turns
    set last_position = $3
    where tenant_id = $1
),
added as (
    insert into messaging.events (
        position, id, occurred_at, actor_id, actor_kind, request_id, type, subject_id, contact_id, provider_id,
        lowest_role, data, previous
    )
    select
        e.position, e.id, e.occurred_at, e.actor_id, e.actor_kind, e.request_id, e.type, e.subject_id, e.contact_id,
        e.provider_id, e.lowest_role, e.data, e.previous
    from jsonb_to_recordset($2) as e (
        position bigint, id uuid, occurred_at timestamptz, actor_id uuid, actor_kind text, request_id text, type text,
        subject_id uuid, contact_id uuid, provider_id uuid, lowest_role text, data jsonb, previous jsonb
    )
)
select pg_notify('appointd_events', $1::text)
