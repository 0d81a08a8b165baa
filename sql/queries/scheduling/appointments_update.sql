-- $1 tenant_id, $2 id, $3 whether to set $4 note, $5 contact id, or null to keep it, $6 claims on the time of the new
-- contact (an array of objects), $7 whether to set $8 external id, $9 whether to set $10 metadata
--
-- Fails with claims_no_overlap if the contact has no time. Calendar entries contain the name of the contact, so another
-- contact makes them newer, also one that was renamed less often.
update scheduling.appointments as a
set
    note = case when $3 then $4 else a.note end,
    external_id = case when $7 then $8 else a.external_id end,
    metadata = case when $9 then $10 else a.metadata end,
    contact_id = coalesce($5, a.contact_id),
    guest_key = case when $5 <> a.contact_id then null else a.guest_key end,
    sequence = a.sequence + case
        when $5 <> a.contact_id then (
            select 1 + greatest(old.renames - new.renames, 0)
            from crm.contacts as old
            cross join crm.contacts as new
            where old.tenant_id = $1 and old.id = a.contact_id and new.tenant_id = $1 and new.id = $5
        )
        else 0
    end,
    updated_at = now()
where a.tenant_id = $1 and a.id = $2 and (select scheduling.take_time($1, $6))
returning
    a.id, a.service_id, a.provider_id, a.contact_id, a.starts_at, a.ends_at, a.status, a.note, a.cancellation_reason,
    a.cancelled_at, a.cancelled_by, a.cancelled_by_kind, a.created_at, a.created_by, a.updated_at, a.sequence,
    a.overridden, a.series_id, a.occurrence, a.seat, a.visit, a.external_id, a.metadata
