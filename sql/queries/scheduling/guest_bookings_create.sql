-- $1 hold id, $2 first name, $3 last name, $4 e-mail address, $5 phone or null, $6 note or null
insert into scheduling.guest_bookings (hold_id, first_name, last_name, email, phone, note)
values ($1, $2, $3, $4, $5, $6)
