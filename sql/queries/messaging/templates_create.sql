-- $1 id, $2 event, $3 recipient, $4 language, $5 subject, $6 body
insert into messaging.templates (id, event, recipient, language, subject, body)
values ($1, $2, $3, $4, $5, $6)
returning id, event, recipient, language, subject, body, created_at
