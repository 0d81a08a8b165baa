-- $1 tenant_id; the time zone and the number of active providers, from which the cost of a listing follows
select
    o.time_zone,
    (select count(*) from scheduling.providers as p where p.tenant_id = $1 and p.active) as providers
from tenancy.organizations as o
where o.id = $1
