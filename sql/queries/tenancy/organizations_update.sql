-- $1 tenant_id, $2 name, $3 slug, $4 time zone; null leaves a value as it is
update tenancy.organizations
set
    name = coalesce($2, name),
    slug = coalesce($3, slug),
    time_zone = coalesce($4, time_zone),
    updated_at = now()
where id = $1
returning id, name, slug, time_zone, created_at, updated_at
