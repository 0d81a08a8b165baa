-- $1 appointment id; the cancellation notice in minutes: how long before its start customers can change it
select cancellation_notice_minutes
from scheduling.booked_names($1)
