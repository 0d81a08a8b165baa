-- $1 account; where one has signed in, that one
select identity.code_attempt($1) as retry_after
