-- $1 id, $2 provider id or null, $3 name, $4 sha-256 of the secret
insert into scheduling.calendar_feeds (id, provider_id, name, token_hash)
values ($1, $2, $3, $4)
returning id, provider_id, name, created_at, created_by
