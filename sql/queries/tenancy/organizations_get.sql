-- $1 tenant_id
select
    o.id, o.name, o.slug, o.subdomain, o.time_zone, s.plan_type,
    array(
        select f.feature
        from tenancy.plan_features as f
        where f.plan_type = s.plan_type and not f.feature = any (s.disabled_features)
        order by f.feature
    ) as features,
    o.created_at, o.updated_at
from tenancy.organizations as o
join tenancy.subscriptions as s on s.tenant_id = $1
where o.id = $1
