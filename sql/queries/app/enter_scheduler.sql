-- $1 tenant, $2 proof, $3 request id
select app.enter_scheduler($1, $2, $3)
