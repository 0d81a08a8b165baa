-- no parameters; the verified e-mail addresses of the owners of the organization
--
-- Sent as appointd_worker.
select o.email
from tenancy.member_addresses('{owner}') as o
