-- $1 tenant_id; for how many days data about people are kept
--
-- Sent as appointd_worker.
select data_retention_days
from tenancy.settings
where tenant_id = $1
