-- $1 tenant_id, $2 account id
delete from tenancy.members
where tenant_id = $1 and account_id = $2
returning account_id
