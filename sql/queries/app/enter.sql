-- $1 tenant to enter, $2 account, $3 its session, $4 secret of the session, $5 lowest role that is allowed, $6 required
-- feature or null, $7 requested host or null, $8 request id
select app.enter($1, $2, $3, $4, $5, $6, $7, $8)
