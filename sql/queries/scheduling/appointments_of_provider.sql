-- $1 tenant_id, $2 provider id, $3 from, $4 to, $5 statuses, $6 row limit; appointments of which a service with the
-- provider starts in the period
select a.id
from scheduling.appointments as a
where
    a.tenant_id = $1 and a.provider_id = $2 and a.starts_at >= $3 and a.starts_at < $4 and a.status = any ($5)
union
select a.id
from scheduling.appointment_segments as g
join scheduling.appointments as a on a.tenant_id = $1 and a.id = g.appointment_id
where
    g.tenant_id = $1 and g.provider_id = $2 and g.starts_at >= $3 and g.starts_at < $4 and a.status = any ($5)
order by id
limit $6
