-- $1 tenant_id, $2 id, $3 first name, $4 last name (null keeps them), $5 whether to set $6 email, $7 whether to set
-- $8 phone, $9 whether to set $10 external id, $11 whether to set $12 metadata
update crm.contacts
set
    first_name = coalesce($3, first_name),
    last_name = coalesce($4, last_name),
    email = case when $5 then $6 else email end,
    phone = case when $7 then $8 else phone end,
    external_id = case when $9 then $10 else external_id end,
    metadata = case when $11 then $12 else metadata end,
    updated_at = now(),
    -- Calendar entries contain the name, so a new name makes them newer.
    renames = renames + case
        when (coalesce($3, first_name), coalesce($4, last_name)) is distinct from (first_name, last_name) then 1
        else 0
    end,
    renamed_at = case
        when (coalesce($3, first_name), coalesce($4, last_name)) is distinct from (first_name, last_name) then now()
        else renamed_at
    end
where tenant_id = $1 and id = $2
returning id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
