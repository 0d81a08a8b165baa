-- $1 tenant_id, $2 account of the customer: how many holds of theirs stand
select count(*)
from scheduling.holds
where tenant_id = $1 and created_by = $2 and waitlist_entry_id is null and expires_at > statement_timestamp()
