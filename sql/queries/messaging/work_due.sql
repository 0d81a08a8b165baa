-- no parameters; whether any organization has events to publish, jobs of each lane, and jobs that are due or given up
--
-- Sent as appointd_worker.
select w.publish, w.live, w.bulk, w.wake
from messaging.work_due() as w
