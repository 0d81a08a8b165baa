-- $1 account_id, $2 secret
--
-- Stores the secret, unless the address is not verified or a confirmed second factor exists.
with person as (
    select email, email_verified_at is not null as verified
    from identity.accounts
    where id = $1
),
begun as (
    insert into identity.second_factors as f (secret)
    select $2
    from person
    where verified
    on conflict (account_id) do update
    set secret = excluded.secret
    where f.confirmed_at is null
    returning f.account_id
)
select p.email, p.verified, exists (select from begun) as begun
from person as p
