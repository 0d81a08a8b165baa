-- $1 tenant_id, $2 event, $3 recipient, $4 language; the texts of the organization, if it has any
--
-- Sent as appointd_worker.
select t.subject, t.body
from messaging.templates as t
where t.tenant_id = $1 and t.event = $2 and t.recipient = $3 and t.language = $4
