-- $1 domain, $2 organization, $3 whether its record was found
select tenancy.note_domain($1, $2, $3) as lapsed
