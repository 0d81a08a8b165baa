-- $1 tenant_id, $2 job, $3 token; locks a job, so that what it works on is added before or after the next statement
--
-- No row: the lease was lost.
--
-- Sent as appointd_worker.
select id
from messaging.jobs
where tenant_id = $1 and id = $2 and lease_token = $3
for no key update
