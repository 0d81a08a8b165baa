-- $1 tenant_id; removes holds that nobody confirmed in time. Offers to the waitlist are passed on instead.
with expired as (
    select id
    from scheduling.holds
    where tenant_id = $1 and expires_at <= statement_timestamp() and waitlist_entry_id is null
    order by id
    for update
)
delete from scheduling.holds
where tenant_id = $1 and id in (select id from expired)
