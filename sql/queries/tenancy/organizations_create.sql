-- $1 organization id, $2 name, $3 slug, $4 subdomain or null, $5 time zone, $6 plan, $7 features of it to
-- disable
select tenancy.create_organization($1, $2, $3, $4, $5, $6, $7) as outcome, now() as created_at
