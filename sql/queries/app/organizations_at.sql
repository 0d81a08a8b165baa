-- $1 host name: a domain, or a subdomain of ours without a dot
select tenancy.organization_at($1) as organization_id
