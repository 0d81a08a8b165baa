-- $1 tenant to enter, $2 account, $3 its session, $4 lowest role that is allowed, $5 required feature or null,
-- $6 requested host or null, $7 request id
select app.enter($1, $2, $3, $4, $5, $6, $7)
