-- $1 tenant_id, $2 service id, $3 provider ids; replaces the list, whose changes are changes of the service
with gone as (
    delete from scheduling.service_providers
    where tenant_id = $1 and service_id = $2 and provider_id <> all ($3)
    returning provider_id
),
added as (
    insert into scheduling.service_providers (service_id, provider_id)
    select $2, p.id
    from unnest($3::uuid[]) as p (id)
    on conflict do nothing
    returning provider_id
)
update scheduling.services
set updated_at = now()
where tenant_id = $1 and id = $2 and (exists (select from gone) or exists (select from added))
