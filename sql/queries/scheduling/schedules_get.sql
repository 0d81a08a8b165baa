-- $1 tenant_id, $2 provider id; no row if the provider does not exist; without a schedule, no hours in the time zone of
-- the organization
select
    coalesce(s.time_zone, (select g.time_zone from tenancy.organizations as g where g.id = $1)) as time_zone,
    i.weekdays, i.from_minutes, i.to_minutes, i.valid_from, i.valid_until, i.dates, i.override_from, i.override_to,
    i.starts_on, i.ends_on, i.time_zones
from scheduling.providers as p
left join scheduling.schedules as s on s.tenant_id = $1 and s.provider_id = p.id
cross join lateral scheduling.hours_of($1, p.id, '-infinity', 'infinity') as i
where p.tenant_id = $1 and p.id = $2
