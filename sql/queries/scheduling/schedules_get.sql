-- $1 tenant_id, $2 provider id; one row where the provider exists, with a null time zone where it has no schedule
select s.time_zone, r.weekdays, r.from_minutes, r.to_minutes, o.dates, o.intervals
from scheduling.providers as p
left join scheduling.schedules as s on s.tenant_id = $1 and s.provider_id = p.id
cross join lateral (
    select
        coalesce(array_agg(weekday order by weekday, from_minute), '{}') as weekdays,
        coalesce(array_agg(from_minute order by weekday, from_minute), '{}') as from_minutes,
        coalesce(array_agg(to_minute order by weekday, from_minute), '{}') as to_minutes
    from scheduling.schedule_rules
    where tenant_id = $1 and provider_id = p.id
) as r
cross join lateral (
    select
        coalesce(array_agg(date order by date), '{}') as dates,
        coalesce(array_agg(jsonb_build_array(from_minutes, to_minutes) order by date), '{}') as intervals
    from scheduling.schedule_overrides
    where tenant_id = $1 and provider_id = p.id
) as o
where p.tenant_id = $1 and p.id = $2
