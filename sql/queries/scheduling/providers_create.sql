-- $1 id, $2 name
with resource as (
    insert into scheduling.resources (id, kind)
    values ($1, 'provider')
)
insert into scheduling.providers (id, name)
values ($1, $2)
returning id, name, active, created_at, updated_at
