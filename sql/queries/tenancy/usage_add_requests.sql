-- $1 organizations, $2 how many requests of each
select tenancy.add_requests($1, $2)
