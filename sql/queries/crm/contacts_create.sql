-- $1 id, $2 first name, $3 last name, $4 email or null, $5 phone, $6 external id, $7 metadata, or null
insert into crm.contacts (id, first_name, last_name, email, phone, external_id, metadata)
values ($1, $2, $3, $4, $5, $6, $7)
returning id, first_name, last_name, email, phone, account_id, external_id, metadata, created_at, updated_at
