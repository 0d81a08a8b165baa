-- no parameters; all plans, from the smallest to the largest
select
    p.plan_type, p.max_providers, p.max_members, p.max_storage_gb, p.max_api_keys, p.requests_per_minute,
    p.event_days,
    array(
        select f.feature from tenancy.plan_features as f where f.plan_type = p.plan_type order by f.feature
    ) as features
from tenancy.plans as p
order by p.position
