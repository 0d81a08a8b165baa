-- $1 tenant, $2 appointment, $3 its proof, $4 required feature or null, $5 requested host or null, $6 request id
select app.enter_guest($1, $2, $3, $4, $5, $6)
