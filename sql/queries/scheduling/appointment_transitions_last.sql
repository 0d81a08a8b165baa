-- $1 tenant_id, $2 appointment id, $3 its status
--
-- The transition that led to the status and can be undone, with the claims that it released.
select t.from_status, t.released
from scheduling.appointment_transitions as t
where
    t.tenant_id = $1 and t.appointment_id = $2 and t.to_status = $3
    and t.action in ('check_in', 'start', 'complete', 'no_show')
order by t.occurred_at desc, t.id desc
limit 1
