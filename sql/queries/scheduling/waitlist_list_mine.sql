-- $1 tenant_id, $2 account of the customer, $3 last id of the page before, or the nil UUID, $4 row limit,
-- $5 updated at or after, or null, $6 ids or null for any
select
    w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.status, w.appointment_id,
    w.created_at, w.updated_at, h.id as hold_id, h.provider_id as offered_provider_id, h.starts_at as offered_starts_at,
    h.expires_at as offer_expires_at
from crm.contacts as c
join scheduling.waitlist_entries as w on w.tenant_id = $1 and w.contact_id = c.id
left join scheduling.holds as h on h.tenant_id = $1 and h.waitlist_entry_id = w.id and w.status = 'offered'
where
    c.tenant_id = $1 and c.account_id = $2 and w.id > $3 and (w.updated_at >= $5 or $5 is null)
    and (w.id = any ($6) or $6 is null)
order by w.id
limit $4
