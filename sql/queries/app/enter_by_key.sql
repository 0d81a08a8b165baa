-- $1 tenant to enter, $2 API key, $3 its secret, $4 lowest role that is allowed, $5 required scope, $6 required feature
-- or null, $7 requested host or null, $8 request id
select app.enter_by_key($1, $2, $3, $4, $5, $6, $7, $8)
