-- $1 tenant_id
select
    p.plan_type, p.max_providers, p.max_members, p.max_storage_gb, p.max_api_keys, p.requests_per_minute,
    p.event_days,
    array(
        select f.feature
        from tenancy.plan_features as f
        where f.plan_type = s.plan_type and not f.feature = any (s.disabled_features)
        order by f.feature
    ) as features
from tenancy.subscriptions as s
join tenancy.plans as p on p.plan_type = s.plan_type
where s.tenant_id = $1
