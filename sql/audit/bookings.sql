-- Finds bookings that must never exist, regardless of concurrent bookings and crashes. No row: no fault. Each row names
-- the fault and the row of the table.
--
-- Constraints prevent these faults; this statement verifies it. It reads the rows of all tenants, so it is for a
-- superuser (psql -f sql/audit/bookings.sql); appointd_auditor sees catalogs only.

-- Two claims of one resource at once, other than seats of one session.
select 'overlapping claims' as finding, a.tenant_id, a.id
from scheduling.claims as a
join scheduling.claims as b
    on b.tenant_id = a.tenant_id and b.resource_id = a.resource_id and b.id > a.id and b.during && a.during
where a.group_session_id <> b.group_session_id
union all
-- One seat of a session taken twice, or more seats than its capacity.
select 'seat taken twice', a.tenant_id, a.id
from scheduling.claims as a
join scheduling.claims as b
    on b.tenant_id = a.tenant_id
    and b.resource_id = a.resource_id
    and b.group_session_id = a.group_session_id
    and b.seat = a.seat
    and b.id > a.id
union all
select 'seat beyond the capacity', tenant_id, id
from scheduling.claims
where seat > capacity
union all
select 'contact with two seats', a.tenant_id, a.id
from scheduling.appointments as a
join scheduling.appointments as b
    on b.tenant_id = a.tenant_id
    and b.contact_id = a.contact_id
    and b.service_id = a.service_id
    and b.provider_id = a.provider_id
    and b.starts_at = a.starts_at
    and b.id > a.id
where
    a.seat is not null and b.seat is not null
    and a.status not in ('cancelled', 'declined', 'no_show') and b.status not in ('cancelled', 'declined', 'no_show')
union all
-- One person in two organizations at once. (Within one, it would be two claims of one resource.)
select 'person booked twice', a.tenant_id, a.claim_id
from scheduling.shared_claims as a
join scheduling.shared_claims as b
    on b.account_id = a.account_id and b.claim_id > a.claim_id and b.during && a.during
where a.tenant_id <> b.tenant_id
union all
-- Time that ended appointments still take.
select 'claim of an ended appointment', c.tenant_id, c.id
from scheduling.claims as c
join scheduling.appointments as a on a.tenant_id = c.tenant_id and a.id = c.appointment_id
where a.status in ('cancelled', 'declined', 'no_show')
union all
select 'claim of nothing', tenant_id, id
from scheduling.claims
where appointment_id is null and hold_id is null
union all
-- An appointment that stands and takes no time of its provider. One that was completed early takes less.
select 'appointment without its time', a.tenant_id, a.id
from scheduling.appointments as a
where
    a.status not in ('cancelled', 'declined', 'no_show', 'completed')
    -- The claims of those before are forgotten (scheduling.forget_past_claims).
    and a.ends_at > now() - interval '34 days'
    and not exists (
        select
        from scheduling.claims as c
        where
            c.tenant_id = a.tenant_id and c.appointment_id = a.id and c.resource_id = a.provider_id
            and c.starts_at <= a.starts_at and (a.visit or c.ends_at >= a.ends_at)
    )
union all
select 'hold without its time', h.tenant_id, h.id
from scheduling.holds as h
where not exists (select from scheduling.claims as c where c.tenant_id = h.tenant_id and c.hold_id = h.id)
union all
-- Time of a linked person that is not shared with other organizations.
select 'claim that is not shared', c.tenant_id, c.id
from scheduling.claims as c
join scheduling.providers as p on p.tenant_id = c.tenant_id and p.id = c.resource_id
where
    p.account_id is not null
    and c.ends_at > now()
    and not exists (
        select
        from scheduling.shared_claims as s
        where s.tenant_id = c.tenant_id and s.claim_id = c.id and s.account_id = p.account_id
    )
union all
-- A person's time that is taken here and elsewhere from or until different instants.
select 'shared claim of another time', s.tenant_id, s.claim_id
from scheduling.shared_claims as s
join scheduling.claims as c on c.tenant_id = s.tenant_id and c.id = s.claim_id
where (s.starts_at, s.ends_at) <> (c.starts_at, c.ends_at)
union all
-- Offers without a hold, and holds for entries without an offer.
select 'offer without a hold', w.tenant_id, w.id
from scheduling.waitlist_entries as w
where
    w.status = 'offered'
    and not exists (select from scheduling.holds as h where h.tenant_id = w.tenant_id and h.waitlist_entry_id = w.id)
union all
select 'hold without an offer', h.tenant_id, h.id
from scheduling.holds as h
join scheduling.waitlist_entries as w on w.tenant_id = h.tenant_id and w.id = h.waitlist_entry_id
where w.status <> 'offered'
union all
-- More appointments of a service, or of a provider, in a day or week than its limit: booked since the limit was last
-- changed, and by the rules. Seats of one group session count once.
select l.finding, c.tenant_id, l.owner
from scheduling.claims as c
join scheduling.services as s on s.tenant_id = c.tenant_id and s.id = c.service_id
join scheduling.providers as p on p.tenant_id = c.tenant_id and p.id = c.resource_id
join scheduling.appointments as a on a.tenant_id = c.tenant_id and a.id = c.appointment_id
join tenancy.organizations as o on o.id = c.tenant_id
cross join lateral (
    values
        ('limit of a service exceeded', s.id, s.updated_at, 'day', s.max_per_day),
        ('limit of a service exceeded', s.id, s.updated_at, 'week', s.max_per_week),
        ('limit of a provider exceeded', p.id, p.updated_at, 'day', p.max_per_day),
        ('limit of a provider exceeded', p.id, p.updated_at, 'week', p.max_per_week)
) as l (finding, owner, since, period, most)
where l.most is not null and a.created_at > l.since and not a.overridden
group by
    l.finding, c.tenant_id, l.owner, l.period, l.most,
    date_trunc(l.period, c.service_starts_at at time zone o.time_zone)
having count(distinct (c.resource_id, c.group_session_id)) > l.most
union all
-- A series of which some are missing.
select 'series that is not whole', s.tenant_id, s.id
from scheduling.series as s
where
    s.occurrences <> (
        select count(*)
        from scheduling.appointments as a
        where a.tenant_id = s.tenant_id and a.series_id = s.id
    )
