-- $1 tenant_id, $2 appointment id, $3 transition id, $4 status to return to, $5 claims to take again (array of
-- objects), $6 reason or null
--
-- Restores the status and the claims of an appointment. It is locked, and the rest of these claims is already deleted
-- (claims_delete.sql). Fails with claims_no_overlap or shared_claims_no_overlap if some of the time was taken
-- meanwhile.
with noted as (
    insert into scheduling.appointment_transitions (appointment_id, id, action, from_status, to_status, reason)
    select a.id, $3, 'undo', a.status, $4, $6
    from scheduling.appointments as a
    where a.tenant_id = $1 and a.id = $2
)
update scheduling.appointments as a
set
    status = $4,
    -- A no-show takes no time in calendars.
    sequence = a.sequence + case when a.status = 'no_show' then 1 else 0 end,
    updated_at = now()
where a.tenant_id = $1 and a.id = $2 and (select scheduling.take_time($1, $5))
returning
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit, external_id, metadata
