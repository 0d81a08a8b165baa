-- $1 tenant_id
select
    p.max_providers,
    p.max_members,
    p.max_storage_gb,
    p.max_api_keys,
    tenancy.counted($1, 'providers') as providers,
    tenancy.counted($1, 'members') as members,
    tenancy.counted($1, 'api_keys') as api_keys,
    (
        select coalesce(sum(d.requests), 0)::bigint
        from tenancy.usage_days as d
        where d.tenant_id = $1 and d.day >= (now() at time zone o.time_zone)::date
    ) as requests_today,
    (
        select coalesce(sum(d.requests), 0)::bigint
        from tenancy.usage_days as d
        where d.tenant_id = $1 and d.day > (now() at time zone o.time_zone)::date - 30
    ) as requests_last_30_days,
    (
        select count(*)
        from scheduling.appointments as a
        where
            a.tenant_id = $1
            and a.starts_at >= date_trunc('month', now() at time zone o.time_zone) at time zone o.time_zone
            and a.starts_at
                < (date_trunc('month', now() at time zone o.time_zone) + interval '1 month') at time zone o.time_zone
            and a.status not in ('cancelled', 'declined')
    ) as appointments_this_month,
    (
        select count(*)
        from scheduling.appointments as a
        where a.tenant_id = $1 and a.starts_at >= now() and a.status not in ('cancelled', 'declined')
    ) as appointments_upcoming
from tenancy.subscriptions as s
join tenancy.plans as p on p.plan_type = s.plan_type
join tenancy.organizations as o on o.id = s.tenant_id
where s.tenant_id = $1
