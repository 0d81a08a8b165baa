-- $1 tenant_id, $2 id, $3 its number of attempts, $4 state, $5 reason or null, $6 whether it may have been sent; what
-- became of the message, unless another attempt has begun
--
-- Sent as appointd_worker.
update messaging.messages
set
    state = $4, reason = $5, doubts = doubts + case when $6 then 1 else 0 end, updated_at = now(),
    sent_at = case when $4 = 'sent' then now() end
where tenant_id = $1 and id = $2 and attempts = $3
