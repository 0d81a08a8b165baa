-- $1 e-mail address, $2 organization it is sent for or null, $3 inviter or null
select refused, retry_after
from messaging.spend($1, $2, $3)
