-- $1 account_id
select exists (
    select
    from identity.one_time_tokens
    where account_id = $1 and purpose = 'verify_email' and created_at > now() - interval '1 minute'
) as sent_recently
