-- $1 tenant_id
select plan_type, disabled_features
from tenancy.subscriptions
where tenant_id = $1
for no key update
