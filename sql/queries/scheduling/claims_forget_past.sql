-- $1 organization; deletes some of its past claims; whether there may be more
--
-- Sent as appointd_worker.
select scheduling.forget_past_claims($1) as more
