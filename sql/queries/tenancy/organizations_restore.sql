-- $1 organization id
select tenancy.restore_organization($1) as restored
