-- $1 account that asks, $2 its session, $3 host asked or null, $4 request id
select app.enter_account($1, $2, $3, $4)
