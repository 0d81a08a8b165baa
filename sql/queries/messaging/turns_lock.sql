-- $1 tenant_id; locks the row of the organization, unless another worker has
--
-- The numbers of events are given in the next statement: one that waits for no lock sees all that the previous holder
-- has committed.
--
-- Sent as appointd_worker.
select last_position
from messaging.turns
where tenant_id = $1
for no key update skip locked
