-- $1 the organization of the call before, null at first; claims of times long past go
select scheduling.forget_past_claims($1) as organization
