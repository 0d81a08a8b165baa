-- no parameters; all organizations, for the operator
select id, slug, name, status, created_at, purge_after
from tenancy.list_organizations()
