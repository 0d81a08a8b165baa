-- no parameters; the hash of the signed-in account's password
select identity.password_of_account() as password_hash
