-- $1 id, $2 name, $3 maximum per day or null, $4 maximum per week, $5 external id, $6 metadata,
-- or null
with resource as (
    insert into scheduling.resources (id, kind)
    values ($1, 'provider')
)
insert into scheduling.providers (id, name, max_per_day, max_per_week, external_id, metadata)
values ($1, $2, $3, $4, $5, $6)
returning
    id, name, active, max_per_day, max_per_week, account_id, external_id, metadata, created_at, updated_at,
    null::uuid as requested_account_id
