-- $1 after this organization or null, $2 row limit; the active organizations
--
-- Sent as appointd_worker.
select o.id
from tenancy.active_organizations($1, $2) as o (id)
