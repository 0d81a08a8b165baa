-- no parameters; the hash of the signed-in account's password
--
-- Sent as appointd_door.
select retry_after, password_hash
from identity.password_of_account()
