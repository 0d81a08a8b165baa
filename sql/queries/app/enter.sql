-- $1 tenant to enter, $2 account that asks, $3 its session, $4 lowest role that may, $5 feature needed or null,
-- $6 host asked or null, $7 request id
select app.enter($1, $2, $3, $4, $5, $6, $7)
