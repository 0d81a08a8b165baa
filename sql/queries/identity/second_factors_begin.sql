-- $1 account_id, $2 secret
--
-- No row: there is one, and it is confirmed.
with begun as (
    insert into identity.second_factors as f (secret)
    values ($2)
    on conflict (account_id) do update
    set secret = excluded.secret
    where f.confirmed_at is null
    returning f.account_id
)
select a.email
from begun
join identity.accounts as a on a.id = begun.account_id
where a.id = $1
