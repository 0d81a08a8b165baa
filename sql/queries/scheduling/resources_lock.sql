-- $1 tenant_id, $2 services to book, $3 whether any provider may be booked, $4 resources,
-- $5 appointments and $6 holds whose time will be freed
--
-- Takes the locks of booking, for transactions that free, move or count time. A transaction takes all its locks in one
-- statement, in the order of the ids, after locking the appointments or holds that it changes and before anything else,
-- so transactions cannot deadlock:
--
-- * exclusive on each resource ($4, and those of the claims of $5 and $6): a booking that waits for a deleted claim at
--   the exclusion constraint may itself hold a claim that this transaction needs;
-- * exclusive on services and providers with a limit: the count must not change between counting and booking;
-- * shared with other bookings on every provider, room and piece of equipment that may be claimed ($2, $3). Bookings
--   take theirs in availability_get.sql. Linking a provider to an account takes an exclusive lock on the provider
--   (providers_lock.sql).
select
    count(
        case
            when k.alone then pg_advisory_xact_lock(app.lock_key($1, k.id::text))
            else pg_advisory_xact_lock_shared(app.lock_key($1, k.id::text))
        end
    ) as locked
from (
    select l.id, bool_or(l.alone) as alone
    from (
        select s.id, true as alone
        from scheduling.services as s
        where s.tenant_id = $1 and s.id = any ($2) and coalesce(s.max_per_day, s.max_per_week) is not null
        union all
        select p.id, coalesce(p.max_per_day, p.max_per_week) is not null
        from scheduling.providers as p
        where p.tenant_id = $1 and p.active and $3
        union all
        select n.resource_id, false
        from scheduling.service_resources as n
        where n.tenant_id = $1 and n.service_id = any ($2)
        union all
        select r.id, true from unnest($4::uuid[]) as r (id)
        union all
        select c.resource_id, true from scheduling.claims as c where c.tenant_id = $1 and c.appointment_id = any ($5)
        union all
        select c.resource_id, true from scheduling.claims as c where c.tenant_id = $1 and c.hold_id = any ($6)
    ) as l
    group by l.id
    order by l.id
) as k
