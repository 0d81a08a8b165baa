-- $1 tenant_id; whether expired holds are not removed yet
select
    exists (
        select
        from scheduling.holds
        where tenant_id = $1 and expires_at <= statement_timestamp()
    )
