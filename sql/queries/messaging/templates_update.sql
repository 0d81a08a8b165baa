-- $1 tenant_id, $2 id, $3 subject, $4 body; null keeps it
update messaging.templates
set subject = coalesce($3, subject), body = coalesce($4, body), updated_at = now()
where tenant_id = $1 and id = $2
returning id, event, recipient, language, subject, body, created_at
