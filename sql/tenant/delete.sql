-- $1 organization
select app.delete_tenant($1) as deleted
