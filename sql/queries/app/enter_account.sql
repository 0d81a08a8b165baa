-- $1 account that asks, $2 its session, $3 request id
select app.enter_account($1, $2, $3)
