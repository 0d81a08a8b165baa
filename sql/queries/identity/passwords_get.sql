-- no parameters; the hash of the signed-in account's password
select retry_after, password_hash
from identity.password_of_account()
