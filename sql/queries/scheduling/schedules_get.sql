-- $1 tenant_id, $2 provider id; no row if the provider does not exist; without a schedule, no hours in the time zone of
-- the organization
select
    coalesce(s.time_zone, (select g.time_zone from tenancy.organizations as g where g.id = $1)) as time_zone,
    r.weekdays, r.from_minutes, r.to_minutes, r.valid_from, r.valid_until, o.dates, o.override_from, o.override_to,
    t.starts_on, t.ends_on, t.time_zones
from scheduling.providers as p
left join scheduling.schedules as s on s.tenant_id = $1 and s.provider_id = p.id
cross join lateral (
    select
        coalesce(array_agg(weekday order by weekday, from_minute), '{}') as weekdays,
        coalesce(array_agg(from_minute order by weekday, from_minute), '{}') as from_minutes,
        coalesce(array_agg(to_minute order by weekday, from_minute), '{}') as to_minutes,
        coalesce(array_agg(valid_from order by weekday, from_minute), '{}') as valid_from,
        coalesce(array_agg(valid_until order by weekday, from_minute), '{}') as valid_until
    from scheduling.schedule_rules
    where tenant_id = $1 and provider_id = p.id
) as r
cross join lateral (
    select
        coalesce(array_agg(date order by date), '{}') as dates,
        -- Arrays of different lengths fit into an array only as jsonb, which is slow to write and to read: each is sent
        -- as it is, in its binary form.
        coalesce(array_agg(array_send(from_minutes) order by date), '{}') as override_from,
        coalesce(array_agg(array_send(to_minutes) order by date), '{}') as override_to
    from scheduling.schedule_overrides
    where tenant_id = $1 and provider_id = p.id
) as o
cross join lateral (
    select
        coalesce(array_agg(starts_on order by starts_on), '{}') as starts_on,
        coalesce(array_agg(ends_on order by starts_on), '{}') as ends_on,
        coalesce(array_agg(time_zone order by starts_on), '{}') as time_zones
    from scheduling.schedule_travels
    where tenant_id = $1 and provider_id = p.id
) as t
where p.tenant_id = $1 and p.id = $2
