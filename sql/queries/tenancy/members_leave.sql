-- $1 organization
select tenancy.leave_organization($1) as left_it
