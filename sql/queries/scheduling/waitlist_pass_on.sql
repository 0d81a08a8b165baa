-- $1 lifetime of the next offers in seconds
select email, service_name, organization_name, starts_at, time_zone, organization_id
from scheduling.pass_on_expired(make_interval(secs => $1))
