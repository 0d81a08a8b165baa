-- $1 account_id, $2 whether to change the full name, $3 full name or null
update identity.accounts
set full_name = case when $2 then $3 else full_name end, updated_at = now()
where id = $1
returning id
