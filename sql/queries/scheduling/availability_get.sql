-- $1 tenant_id, $2 service id, $3 provider id or null for any, $4 from, $5 to (instants, half-open), $6 first date, $7 last date
--
-- All that decides which starts are free, for listing slots and for booking alike: one row per active
-- provider, or for the one asked for (or one without a provider), with the hours that can reach into the period and the claims that do.
select
    s.active, s.duration_minutes, s.slot_step_minutes,
    p.id, p.active, h.time_zone, r.weekdays, r.from_minutes, r.to_minutes, o.dates, o.intervals, c.starts, c.ends
from scheduling.services as s
left join scheduling.providers as p on p.tenant_id = $1 and (p.id = $3 or ($3 is null and p.active))
left join scheduling.schedules as h on h.tenant_id = $1 and h.provider_id = p.id
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
    where tenant_id = $1 and provider_id = p.id and date between $6 and $7
) as o
cross join lateral (
    -- A claim lasts 24 hours at most, so none that began earlier reaches into the period.
    select
        coalesce(array_agg(starts_at order by starts_at), '{}') as starts,
        coalesce(array_agg(ends_at order by starts_at), '{}') as ends
    from scheduling.claims
    where
        tenant_id = $1 and resource_id = p.id
        and starts_at > $4::timestamptz - interval '24 hours' and starts_at < $5 and ends_at > $4
) as c
where s.tenant_id = $1 and s.id = $2
order by p.id
