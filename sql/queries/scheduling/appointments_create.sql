-- $1 tenant_id, $2 appointments, $3 their claims (arrays of objects)
--
-- Creates the appointments, all or none: fails with claims_no_overlap or shared_claims_no_overlap if time is taken.
-- Waits for a concurrent transaction that takes the time.
with made as (
    insert into scheduling.appointments (
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, overridden, series_id, occurrence,
        visit, seat, guest_key, external_id, metadata
    )
    select
        a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.overridden,
        a.series_id, a.occurrence, a.visit, a.seat, a.guest_key, a.external_id, a.metadata
    from
        jsonb_to_recordset($2) as a (
            id uuid, service_id uuid, provider_id uuid, contact_id uuid, starts_at timestamptz, ends_at timestamptz,
            status text, note text, overridden boolean, series_id uuid, occurrence smallint, visit boolean,
            seat smallint, guest_key uuid, external_id text, metadata jsonb
        )
    returning
        id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
        cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
        series_id, occurrence, seat, visit, external_id, metadata
)
select
    id, service_id, provider_id, contact_id, starts_at, ends_at, status, note, cancellation_reason,
    cancelled_at, cancelled_by, cancelled_by_kind, created_at, created_by, updated_at, sequence, overridden,
    series_id, occurrence, seat, visit, external_id, metadata
from made
-- Once all of them are made.
where (select scheduling.take_time($1, $3) from made having count(*) > 0)
