-- $1 organization or null
select tenancy.allowed_requests($1) as requests_per_minute
