-- $1 tenant_id: what listing slots has to know before anything is loaded: the zone, and how many providers there are
select
    o.time_zone,
    (select count(*) from scheduling.providers as p where p.tenant_id = $1 and p.active) as providers
from tenancy.organizations as o
where o.id = $1
