-- $1 hold id, $2 service id, $3 provider id, $4 starts at, $5 ends at, $6 the claims of the hold (array of objects), $7 lifetime in seconds
select entry, email, service_name, current_setting('app.tenant_id')::uuid as organization_id
from scheduling.offer_freed($1, $2, $3, $4, $5, $6, make_interval(secs => $7))
