-- $1 origin of a page, $2 organization id or null, $3 host asked or null, $4 slug or null
select tenancy.trusts_origin($1, $2, $3, $4) as trusted
