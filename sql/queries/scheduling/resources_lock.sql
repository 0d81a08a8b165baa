-- $1 tenant_id, $2 ids; whoever moves claims of one resource waits here for the other, in one order, and nobody deadlocks
select id
from scheduling.resources
where tenant_id = $1 and id = any ($2)
order by id
for no key update
