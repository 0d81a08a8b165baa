-- $1 account_id, $2 step of the code, $3 SHA-256 of each recovery code
with confirmed as (
    update identity.second_factors
    set confirmed_at = now(), last_step = $2
    where account_id = $1
)
insert into identity.recovery_codes (hash)
select unnest($3::bytea[])
