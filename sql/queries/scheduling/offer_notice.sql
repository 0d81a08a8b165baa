-- $1 tenant_id, $2 waitlist entry
select $1::uuid as tenant_id, n.email, n.service_name, n.provider_name, n.organization_name, n.time_zone, n.proof
from scheduling.offer_notice($2) as n
