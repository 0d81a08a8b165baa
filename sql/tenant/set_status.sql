-- $1 organization, $2 active or suspended
select app.set_tenant_status($1, $2) as done
