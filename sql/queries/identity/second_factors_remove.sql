-- $1 account_id, $2 step of the code or null, $3 SHA-256 of the recovery code or null
--
-- Removes the second factor. Returns no row if the code is wrong or was used before.
delete from identity.second_factors
where
    account_id = $1
    and (
        last_step < $2
        or exists (select from identity.recovery_codes as c where c.account_id = $1 and c.hash = $3)
    )
returning account_id
