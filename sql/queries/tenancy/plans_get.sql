-- $1 plan
select
    array(
        select f.feature from tenancy.plan_features as f where f.plan_type = p.plan_type order by f.feature
    ) as features
from tenancy.plans as p
where p.plan_type = $1
