-- no parameters; deletes expired sessions and tokens, and counts of attempts, of all accounts
--
-- Sent as appointd_worker.
select identity.purge_expired() as purged
