-- $1 how many at most; verified domains whose record is to be asked for
select domain, organization_id, challenge
from tenancy.domains_due($1)
