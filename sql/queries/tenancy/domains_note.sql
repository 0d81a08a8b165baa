-- $1 domain, $2 organization, $3 whether its record was found
--
-- Sent as appointd_worker.
select tenancy.note_domain($1, $2, $3) as lapsed
