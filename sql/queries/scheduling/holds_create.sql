-- $1 tenant_id, $2 id, $3 claims, $4 service id, $5 provider id, $6 starts at, $7 ends at, $8 lifetime in seconds,
-- $9 whether rules were overridden, $10 waitlist entry it is offered to, or null
--
-- Fails with claims_no_overlap or shared_claims_no_overlap where time is taken. The claims of an offer do not expire:
-- the time stays taken until the offer is ended, and is then offered to the next.
with made as (
    insert into scheduling.holds (
        id, service_id, provider_id, starts_at, ends_at, expires_at, overridden, waitlist_entry_id
    )
    values ($2, $4, $5, $6, $7, statement_timestamp() + make_interval(secs => $8), $9, $10)
    returning id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
)
select id, service_id, provider_id, starts_at, ends_at, expires_at, waitlist_entry_id, created_at, created_by
from made
where (
    select scheduling.take_time($1, $3, true, case when h.waitlist_entry_id is null then h.expires_at end)
    from made as h
)
