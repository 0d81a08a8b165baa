-- $1 account_id, $2 whether to change the full name, $3 full name or null
update identity.accounts
set
    full_name = case when $2 then $3 else full_name end,
    named_at = case when $2 and full_name is distinct from $3 then now() else named_at end,
    updated_at = now()
where id = $1
returning id
