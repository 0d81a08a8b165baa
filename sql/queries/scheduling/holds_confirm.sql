-- $1 tenant_id, $2 hold id, $3 appointment id, $4 contact id, $5 claim id of the contact, or null if its time is not
-- claimed, $6 status, $7 note or null, $8 seat or null, $9 guest key or null
--
-- Turns the hold into an appointment, which takes over its claims. Returns no row if the contact's own time is taken;
-- nothing else can prevent it.
with held as (
    select id, service_id, provider_id, starts_at, ends_at, overridden
    from scheduling.holds
    where tenant_id = $1 and id = $2
),
contact as (
    insert into scheduling.resources (id, kind)
    select $4::uuid, 'contact'
    where $5::uuid is not null
    on conflict do nothing
),
own as (
    insert into scheduling.claims (id, appointment_id, resource_id, starts_at, ends_at)
    select $5, $3, $4, h.starts_at, h.ends_at
    from held as h
    where $5 is not null
    on conflict do nothing
    returning id
),
kept as (
    update scheduling.claims
    set appointment_id = $3, hold_id = null, expires_at = null
    where tenant_id = $1 and hold_id = $2
)
insert into scheduling.appointments (
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, seat, guest_key, hold_id
)
select $3, h.service_id, h.provider_id, $4, h.starts_at, h.ends_at, $6, $7, h.overridden, $8, $9, h.id
from held as h
where $5 is null or exists (select from own)
returning
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit
