-- $1 request id; what precedes the functions that look before a tenant is known, for the audit log
select set_config('app.request_id', $1, true)
