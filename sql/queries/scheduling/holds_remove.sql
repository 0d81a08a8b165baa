-- $1 tenant_id, $2 ids, $3 new status of the waitlist entries that they were offered to; also deletes their claims
with ended as (
    update scheduling.waitlist_entries as w
    set status = $3, updated_at = now()
    from scheduling.holds as h
    where
        w.tenant_id = $1
        and h.tenant_id = $1
        and h.id = any ($2)
        and w.id = h.waitlist_entry_id
        and w.status = 'offered'
)
delete from scheduling.holds
where tenant_id = $1 and id = any ($2)
