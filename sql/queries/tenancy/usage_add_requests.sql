-- $1 organizations, $2 number of requests of each
select tenancy.add_requests($1, $2)
