-- $1 id, $2 kind, $3 name
insert into scheduling.resources (id, kind, name)
values ($1, $2, $3)
returning id, kind, name, active, created_at, updated_at
