-- $1 tenant_id; how the organization speaks to people
--
-- Sent as appointd_api and as appointd_worker.
select v.name, v.address, v.logo_url, v.color, v.language, v.date_format, v.time_format, v.time_zone
from tenancy.voice($1) as v
