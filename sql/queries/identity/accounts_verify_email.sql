-- $1 account, $2 SHA-256 of the token
select identity.verify_email($1, $2) as verified
