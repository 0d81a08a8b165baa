-- $1 tenant_id, $2 provider id, $3 starts at, $4 ends at; at most 100 appointments that overlap it with their buffers
select a.id
from scheduling.claims as c
join scheduling.appointments as a on a.tenant_id = $1 and a.id = c.appointment_id
where
    c.tenant_id = $1 and c.resource_id = $2
    and c.starts_at > $3::timestamptz - interval '24 hours' and c.starts_at < $4 and c.ends_at > $3
    and a.status in ('pending', 'confirmed', 'checked_in', 'in_progress')
group by a.id, a.starts_at
order by a.starts_at, a.id
limit 100
