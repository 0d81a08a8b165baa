-- $1 messages with their times, as a JSON array, $2 kind of the job that sends each, $3 its maximum number of attempts
--
-- A message that was planned before is not planned again, and gets no second job; unless it was skipped because its
-- object had changed, and the change was taken back.
--
-- Sent as appointd_worker.
with planned as (
    insert into messaging.messages as m (
        event_id, event, subject_id, sequence, recipient, recipient_id, channel, about_at, ahead_minutes, due_at,
        occurred_at
    )
    select
        p.event_id, p.event, p.subject_id, p.sequence, p.recipient, p.recipient_id, p.channel, p.about_at,
        p.ahead_minutes, p.due_at, p.occurred_at
    from jsonb_to_recordset($1) as p (
        event_id uuid, event text, subject_id uuid, sequence integer, recipient text, recipient_id uuid, channel text,
        about_at timestamptz, ahead_minutes integer, due_at timestamptz, occurred_at timestamptz
    )
    on conflict (tenant_id, subject_id, event, about_at, ahead_minutes, recipient_id, channel)
    where about_at is not null
    do update set state = 'queued', reason = null, due_at = excluded.due_at, updated_at = now()
    where m.state = 'skipped' and m.reason = 'stale' and excluded.due_at > m.updated_at
    returning m.id, m.due_at
)
insert into messaging.jobs (kind, lane, key, payload, state, run_at, max_attempts)
select
    $2, 'live', p.id::text || ' ' || p.due_at::text, jsonb_build_object('message_id', p.id),
    case when p.due_at > now() then 'scheduled' else 'ready' end, p.due_at, $3
from planned as p
on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do nothing
