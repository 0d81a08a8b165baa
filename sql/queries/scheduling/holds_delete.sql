-- $1 tenant_id, $2 id; its claims go with it. Offers to the waitlist are declined instead.
delete from scheduling.holds
where tenant_id = $1 and id = $2 and expires_at > statement_timestamp() and waitlist_entry_id is null
returning service_id, provider_id, starts_at
