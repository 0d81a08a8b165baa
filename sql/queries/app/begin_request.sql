-- $1 request id, $2 requested host or null; for functions that run before a tenant is known: for the change log, and
-- for lookups that are limited to a host
select app.begin_request($1, $2)
