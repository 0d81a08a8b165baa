-- $1 id, $2 first name, $3 last name, $4 email or null, $5 phone or null; without a look back, so that a guest may
insert into crm.contacts (id, first_name, last_name, email, phone)
values ($1, $2, $3, $4, $5)
