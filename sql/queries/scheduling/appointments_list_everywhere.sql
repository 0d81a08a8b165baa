-- $1 after this start and $2 id, $3 row limit, $4 starts before; appointments of the signed-in account with all
-- organizations
select organization_id, organization_name, id, service_name, provider_name, starts_at, ends_at, status, time_zone
from scheduling.my_appointments_everywhere($1, $2, $3, $4)
