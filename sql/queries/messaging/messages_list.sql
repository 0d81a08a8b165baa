-- $1 tenant_id, $2 before this time and $3 this id, or null, $4 row limit; null for any: $5 states, $6 recipient, $7
-- object, $8 ids
select
    id, event_id, event, subject_id, recipient, recipient_id, channel, state, reason, attempts, address, language,
    title, due_at, occurred_at, created_at, sent_at
from messaging.messages
where
    tenant_id = $1
    and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
    and ($5::text[] is null or state = any ($5))
    and ($6::uuid is null or recipient_id = $6)
    and ($7::uuid is null or subject_id = $7)
    and ($8::uuid[] is null or id = any ($8))
order by created_at desc, id desc
limit $4
