-- $1 tenant_id, $2 hold id; the details of a guest who has opened the link in the e-mail
select first_name, last_name, email, phone, note, scheduling.contact_of_guest() as contact_id
from scheduling.guest_bookings
where tenant_id = $1 and hold_id = $2
