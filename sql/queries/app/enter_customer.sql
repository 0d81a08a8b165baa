-- $1 tenant, $2 account, $3 its session, $4 id of the object to create or change, $5 required feature or null,
-- $6 requested host or null, $7 request id
select app.enter_customer($1, $2, $3, $4, $5, $6, $7)
