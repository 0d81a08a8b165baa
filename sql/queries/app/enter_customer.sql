-- $1 tenant, $2 account, $3 its session, $4 what is made or changed, $5 feature the plan has to include or null,
-- $6 host or null, $7 request id
select app.enter_customer($1, $2, $3, $4, $5, $6, $7)
