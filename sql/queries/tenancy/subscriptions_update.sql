-- $1 tenant_id, $2 plan, $3 features of it to disable
update tenancy.subscriptions
set plan_type = $2, disabled_features = $3, updated_at = now()
where tenant_id = $1
