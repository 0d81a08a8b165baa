-- $1 and $2 start and id after which, $3 and $4 start and id before which the page lies, $5 row limit, $6 whether the
-- latest come first, $7 ids or null for any; appointments of the signed-in account with all organizations
select organization_id, organization_name, id, service_name, provider_name, starts_at, ends_at, status, time_zone
from scheduling.my_appointments_everywhere($1, $2, $3, $4, $5, $6, $7)
