-- no parameters; the organizations with expired holds or freed time to offer
--
-- Sent as appointd_worker.
select d.tenant_id
from scheduling.tenants_due() as d (tenant_id)
