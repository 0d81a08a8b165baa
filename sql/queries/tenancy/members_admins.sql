-- no parameters; the verified e-mail addresses of owners and admins, and the name of the organization
--
-- Sent as appointd_worker.
select a.email, a.organization
from tenancy.member_addresses('{owner,admin}') as a
