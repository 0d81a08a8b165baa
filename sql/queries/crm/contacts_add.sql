-- $1 id, $2 first name, $3 last name, $4 email or null, $5 phone or null; returns nothing, because a guest may not read
-- contacts
insert into crm.contacts (id, first_name, last_name, email, phone)
values ($1, $2, $3, $4, $5)
