-- $1 tenant, $2 appointment, $3 feature the plan has to include or null, $4 host or null, $5 request id
select app.enter_guest($1, $2, $3, $4, $5)
