-- $1 tenant_id, $2 name, $3 slug, $4 time zone (null keeps a value), $5 whether to change the subdomain,
-- $6 subdomain or null
with changed as (
    update tenancy.organizations
    set
        name = coalesce($2, name),
        slug = coalesce($3, slug),
        time_zone = coalesce($4, time_zone),
        subdomain = case when $5 then $6 else subdomain end,
        updated_at = now()
    where id = $1
    returning id, name, slug, subdomain, time_zone, created_at, updated_at
)
select
    o.id, o.name, o.slug, o.subdomain, o.time_zone, s.plan_type,
    array(
        select f.feature
        from tenancy.plan_features as f
        where f.plan_type = s.plan_type and not f.feature = any (s.disabled_features)
        order by f.feature
    ) as features,
    o.created_at, o.updated_at
from changed as o
join tenancy.subscriptions as s on s.tenant_id = $1
