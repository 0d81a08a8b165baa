-- $1 provider id; waits for those who are booking the provider, and has others wait
select pg_advisory_xact_lock(hashtextextended($1::uuid::text, 0)) is null as locked
