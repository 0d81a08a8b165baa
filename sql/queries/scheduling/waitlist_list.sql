-- $1 tenant_id, $2 statuses or null for any, $3 service id or null for any, $4 created_at and $5 id of the last of the
-- page before, $6 row limit, $7 updated at or after, or null, $8 ids or null for any, $9 and
-- $10 between which lies a part of their period
--
-- A filter is a case: see crm/contacts_list.sql. Holds are looked up for the entries of the page alone.
select
    w.id, w.service_id, w.provider_id, w.contact_id, w.from_instant, w.to_instant, w.status, w.appointment_id,
    w.created_at, w.updated_at, h.id as hold_id, h.provider_id as offered_provider_id, h.starts_at as offered_starts_at,
    h.expires_at as offer_expires_at
from (
    select e.*
    from scheduling.waitlist_entries as e
    where
        e.tenant_id = $1
        and case when $2::text[] is null then true else e.status = any ($2) end
        and case when $3::uuid is null then true else e.service_id = $3 end
        and (e.created_at, e.id) > ($4, $5)
        and case when $7::timestamptz is null then true else e.updated_at >= $7 end
        and case when $8::uuid[] is null then true else e.id = any ($8) end
        and e.to_instant > $9
        and e.from_instant < $10
    order by e.created_at, e.id
    limit $6
) as w
left join scheduling.holds as h on h.tenant_id = $1 and h.waitlist_entry_id = w.id and w.status = 'offered'
order by w.created_at, w.id
