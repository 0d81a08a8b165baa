-- $1 tenant, $2 request id
select app.enter_scheduler($1, $2)
