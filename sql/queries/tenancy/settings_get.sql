-- $1 tenant_id
select
    language, date_format, time_format, notify_by_email, notify_by_sms, notify_by_push, data_retention_days,
    gdpr_compliant,
    exclusive_members, trusted_origins, check_in_opens_minutes, guest_bookings_per_address, guest_bookings_per_email,
    guests_match_by_verified_email, reminder_minutes, thanks_after_minutes, review_url
from tenancy.settings
where tenant_id = $1
