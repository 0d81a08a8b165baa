-- $1 tenant to enter, $2 account that asks, $3 lowest role that may
select app.enter($1, $2, $3)
