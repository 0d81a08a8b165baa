-- $1 id, $2 domain, $3 challenge
insert into tenancy.domains (id, domain, challenge)
values ($1, $2, $3)
returning id, domain, challenge, verified_at, created_at, null::timestamptz as missing_since
