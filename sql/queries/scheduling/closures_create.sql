-- $1 id, $2 first day, $3 last day, $4 name
insert into scheduling.closures (id, starts_on, ends_on, name)
values ($1, $2, $3, $4)
returning id, starts_on, ends_on, name, created_at, updated_at
