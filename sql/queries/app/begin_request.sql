-- $1 request id, $2 host asked or null; precedes the functions that look before a tenant is known: for the audit log,
-- and for what is found at one host alone
select set_config('app.request_id', $1, true), set_config('app.host', coalesce($2, ''), true)
