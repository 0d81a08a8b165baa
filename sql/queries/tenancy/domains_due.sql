-- $1 row limit; verified domains whose record is due for a check
--
-- Sent as appointd_worker.
select domain, organization_id, challenge
from tenancy.domains_due($1)
