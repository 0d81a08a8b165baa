-- $1 tenant_id, $2 language, $3 date format, $4 time format, $5 notify by email, $6 notify by sms, $7 notify by push, $8 data retention in days, $9 bound by the GDPR, $10 exclusive members, $11 trusted origins; null leaves a value as it is
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
    updated_at = now()
where tenant_id = $1
returning
    language, date_format, time_format, notify_by_email, notify_by_sms, notify_by_push, data_retention_days, gdpr_compliant,
    exclusive_members, trusted_origins
