-- $1 session to keep, $2 password hash
select identity.change_password($1, $2)
