-- $1 tenant_id: whether holds that have expired are still in the way
select
    exists (
        select
        from scheduling.holds
        where tenant_id = $1 and expires_at <= statement_timestamp()
    )
