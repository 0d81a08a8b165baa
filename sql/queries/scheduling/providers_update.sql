-- $1 tenant_id, $2 id, $3 changes (an object)
update scheduling.providers as p
set
    (name, active, max_per_day, max_per_week, external_id, metadata) = (
        select r.name, r.active, r.max_per_day, r.max_per_week, r.external_id, r.metadata
        from jsonb_populate_record(p, $3) as r
    ),
    updated_at = now(),
    -- Calendar entries contain the name, so a new name makes them newer.
    renamed_at = case when coalesce($3::jsonb ->> 'name', p.name) <> p.name then now() else p.renamed_at end
where p.tenant_id = $1 and p.id = $2
returning
    p.id, p.name, p.active, p.max_per_day, p.max_per_week, p.account_id, p.external_id, p.metadata,
    p.created_at, p.updated_at,
    (
        select r.account_id from scheduling.provider_link_requests as r where r.tenant_id = $1 and r.provider_id = p.id
    ) as requested_account_id
