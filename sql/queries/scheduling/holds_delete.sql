-- $1 tenant_id, $2 id; its claims go with it. Offers to the waitlist are declined instead.
with freed as (
    select c.resource_id, c.service_id, c.serves_at, c.starts_at, c.ends_at, c.group_key, c.seat, c.capacity
    from scheduling.claims as c
    where c.tenant_id = $1 and c.hold_id = $2
),
gone as (
    delete from scheduling.holds
    where tenant_id = $1 and id = $2 and expires_at > statement_timestamp() and waitlist_entry_id is null
    returning service_id, provider_id, starts_at, ends_at
)
select g.service_id, g.provider_id, g.starts_at, g.ends_at, (select jsonb_agg(to_jsonb(f)) from freed as f) as freed
from gone as g
