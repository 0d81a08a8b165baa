-- no parameters; jobs of all organizations by kind and state
--
-- Sent as appointd_worker.
select w.kind, w.state, w.jobs, w.oldest_at
from messaging.work_waiting() as w
