-- $1 account, $2 its session, $3 secret of the session, $4 requested host or null, $5 request id
select app.enter_account($1, $2, $3, $4, $5)
