-- $1 tenant_id, $2 id
select id
from messaging.templates
where tenant_id = $1 and id = $2
for no key update
