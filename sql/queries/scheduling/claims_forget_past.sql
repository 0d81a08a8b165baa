-- $1 the organization of the previous call, or null; deletes past claims of the next one
select scheduling.forget_past_claims($1) as organization
