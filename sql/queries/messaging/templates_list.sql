-- $1 tenant_id, $2 after this id, $3 row limit, $4 ids, $5 event, $6 language; null for any
select id, event, recipient, language, subject, body, created_at
from messaging.templates
where
    tenant_id = $1
    and id > $2
    and ($4::uuid[] is null or id = any ($4))
    and ($5::text is null or event = $5)
    and ($6::text is null or language = $6)
order by id
limit $3
