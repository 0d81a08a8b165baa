-- $1 tenant_id, $2 id; a message that is to be sent, with its row locked
--
-- Sent as appointd_worker.
select
    m.id, m.event_id, m.event, m.subject_id, m.sequence, m.recipient, m.recipient_id, m.channel, m.state, m.attempts,
    m.doubts, m.address, m.about_at, m.ahead_minutes, m.due_at, m.occurred_at
from messaging.messages as m
where m.tenant_id = $1 and m.id = $2
for no key update
