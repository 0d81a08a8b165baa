-- $1 tenant_id, $2 language, $3 date format, $4 time format, $5 notify by email, $6 notify by sms, $7 notify by push,
-- $8 data retention in days, $9 bound by the GDPR, $10 exclusive members, $11 trusted origins, $12 minutes before the
-- start from which one can check in, $13 guest bookings per address, $14 guest bookings per e-mail, $15 whether guests
-- are matched by verified e-mail, $16 minutes before the start at which contacts are reminded; null keeps a value. Then
-- in pairs whether to change and to what: $17 $18 minutes after which they are thanked, $19 $20 review URL
update tenancy.settings
set
    language = coalesce($2, language),
    date_format = coalesce($3, date_format),
    time_format = coalesce($4, time_format),
    notify_by_email = coalesce($5, notify_by_email),
    notify_by_sms = coalesce($6, notify_by_sms),
    notify_by_push = coalesce($7, notify_by_push),
    data_retention_days = coalesce($8, data_retention_days),
    gdpr_compliant = coalesce($9, gdpr_compliant),
    exclusive_members = coalesce($10, exclusive_members),
    trusted_origins = coalesce($11, trusted_origins),
    check_in_opens_minutes = coalesce($12, check_in_opens_minutes),
    guest_bookings_per_address = coalesce($13, guest_bookings_per_address),
    guest_bookings_per_email = coalesce($14, guest_bookings_per_email),
    guests_match_by_verified_email = coalesce($15, guests_match_by_verified_email),
    reminder_minutes = coalesce($16, reminder_minutes),
    thanks_after_minutes = case when $17 then $18 else thanks_after_minutes end,
    review_url = case when $19 then $20 else review_url end,
    updated_at = now()
where tenant_id = $1
returning
    language, date_format, time_format, notify_by_email, notify_by_sms, notify_by_push, data_retention_days,
    gdpr_compliant,
    exclusive_members, trusted_origins, check_in_opens_minutes, guest_bookings_per_address, guest_bookings_per_email,
    guests_match_by_verified_email, reminder_minutes, thanks_after_minutes, review_url
