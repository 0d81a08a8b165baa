-- $1 messages, as a JSON array, $2 kind of the job that sends each, $3 its maximum number of attempts
--
-- A message that exists already is not added again, and gets no second job.
--
-- Sent as appointd_worker.
with added as (
    insert into messaging.messages (
        event_id, event, subject_id, sequence, recipient, recipient_id, channel, occurred_at
    )
    select m.event_id, m.event, m.subject_id, m.sequence, m.recipient, m.recipient_id, m.channel, m.occurred_at
    from jsonb_to_recordset($1) as m (
        event_id uuid, event text, subject_id uuid, sequence integer, recipient text, recipient_id uuid, channel text,
        occurred_at timestamptz
    )
    on conflict (tenant_id, event_id, recipient_id, channel) where about_at is null do nothing
    returning id
)
insert into messaging.jobs (kind, lane, key, payload, state, max_attempts)
select $2, 'live', a.id::text, jsonb_build_object('message_id', a.id), 'ready', $3
from added as a
