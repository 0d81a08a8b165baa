-- $1 account_id
select
    a.email,
    a.email_verified_at is not null as verified,
    exists (
        select
        from identity.one_time_tokens as t
        where t.account_id = $1 and t.purpose = 'verify_email' and t.created_at > now() - interval '1 minute'
    ) as requested_recently
from identity.accounts as a
where a.id = $1
