-- $1 entry id, $2 declined or withdrawn, $3 lifetime of the next offer in seconds
select next_entry, email, service_name, starts_at, current_setting('app.tenant_id')::uuid as organization_id
from scheduling.decline_offer($1, $2, make_interval(secs => $3))
