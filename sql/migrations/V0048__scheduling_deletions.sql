-- The list of deletions has waitlist entries, which are deleted with their contact, service or provider.

create trigger record_deletion after delete on scheduling.waitlist_entries
for each row execute function operations.record_deletion('waitlist_entry');
