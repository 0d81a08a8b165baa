-- $1 tenant_id, $2 id
select id, event, recipient, language, subject, body, created_at
from messaging.templates
where tenant_id = $1 and id = $2
