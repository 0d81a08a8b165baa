-- $1 tenant_id, $2 from this day or null, $3 to this day or null, $4 after this day or null, $5 row limit
select
    d.day, d.starts_at, d.ends_at, d.closed_at, d.appointments, d.requests, d.storage_bytes, d.emails, d.emails_failed,
    d.sms
from tenancy.usage_days as d
where
    d.tenant_id = $1
    and d.closed_at is not null
    and ($2::date is null or d.day >= $2)
    and ($3::date is null or d.day <= $3)
    and ($4::date is null or d.day > $4)
order by d.day
limit $5
