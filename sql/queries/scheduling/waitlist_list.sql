-- $1 tenant_id, $2 statuses or null for any, $3 service id or null for any, $4 created_at and $5 id of the last of the
-- page before, $6 row limit, $7 updated at or after, or null, $8 ids or null for any, $9 and
-- $10 between which lies a part of their period
select
    w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.status, w.appointment_id,
    w.created_at, w.updated_at, h.id as hold_id, h.provider_id as offered_provider_id, h.starts_at as offered_starts_at,
    h.expires_at as offer_expires_at
from scheduling.waitlist_entries as w
left join scheduling.holds as h on h.tenant_id = $1 and h.waitlist_entry_id = w.id and w.status = 'offered'
where
    w.tenant_id = $1 and (w.status = any ($2) or $2 is null) and (w.service_id = $3 or $3 is null)
    and (w.created_at, w.id) > ($4, $5)
    and (w.updated_at >= $7 or $7 is null) and (w.id = any ($8) or $8 is null)
    and w.to_instant > $9 and w.from_instant < $10
order by w.created_at, w.id
limit $6
