-- $1 id, $2 provider id, $3 starts at, $4 ends at
insert into scheduling.time_off (id, provider_id, starts_at, ends_at)
values ($1, $2, $3, $4)
returning id, provider_id, starts_at, ends_at, created_at, updated_at
