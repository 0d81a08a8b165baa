-- $1 tenant, $2 appointment, $3 required feature or null, $4 requested host or null, $5 request id
select app.enter_guest($1, $2, $3, $4, $5)
