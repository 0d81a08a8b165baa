-- $1 tenant_id, $2 provider id, $3 starts at, $4 ends at: what stands in that time, at most 100
select a.id
from scheduling.appointments as a
where
    a.tenant_id = $1 and a.provider_id = $2
    and a.starts_at > $3::timestamptz - interval '24 hours' and a.starts_at < $4 and a.ends_at > $3
    and a.status in ('pending', 'confirmed', 'checked_in', 'in_progress')
order by a.starts_at, a.id
limit 100
