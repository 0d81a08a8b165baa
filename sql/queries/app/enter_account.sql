-- $1 account, $2 its session, $3 requested host or null, $4 request id
select app.enter_account($1, $2, $3, $4)
