-- $1 tenant to enter, $2 API key, $3 SHA-256 of its secret, $4 lowest role that may, $5 scope needed, $6 feature
-- needed or null, $7 host asked or null, $8 request id
select app.enter_by_key($1, $2, $3, $4, $5, $6, $7, $8)
