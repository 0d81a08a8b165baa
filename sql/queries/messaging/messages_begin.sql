-- $1 tenant_id, $2 id, $3 address, $4 language, $5 title; the message is about to be sent
--
-- One that was being sent before may have been.
--
-- Sent as appointd_worker.
update messaging.messages
set
    state = 'sending', reason = null, attempts = attempts + 1,
    doubts = doubts + case when state = 'sending' then 1 else 0 end, address = $3, language = $4, title = $5,
    updated_at = now()
where tenant_id = $1 and id = $2
