-- $1 account_id
delete from identity.second_factors
where account_id = $1 and confirmed_at is not null
returning account_id
