-- $1 tenant_id; the number of e-mails of the last seven days that failed, and no row without any
select null::text as about, sum(d.emails_failed)::bigint as count, null::bigint as most, null::timestamptz as since
from tenancy.usage_days as d
where d.tenant_id = $1 and d.day > current_date - 7
having sum(d.emails_failed) > 0
