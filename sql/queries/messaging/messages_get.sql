-- $1 tenant_id, $2 id
select
    id, event_id, event, subject_id, recipient, recipient_id, channel, state, reason, attempts, address, language,
    title, due_at, occurred_at, created_at, sent_at
from messaging.messages
where tenant_id = $1 and id = $2
