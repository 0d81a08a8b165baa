-- $1 host name: a custom domain, or a subdomain label
select tenancy.organization_at($1) as organization_id
