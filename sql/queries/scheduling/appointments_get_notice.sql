-- $1 appointment id: elapsed minutes before its start until which customers may cancel or reschedule it
select cancellation_notice_minutes
from scheduling.booked_names($1)
