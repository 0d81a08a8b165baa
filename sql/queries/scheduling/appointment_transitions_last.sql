-- $1 tenant_id, $2 appointment id, $3 its status: the step that led there and can be taken back, with the claims it
-- released
select t.from_status, t.released
from scheduling.appointment_transitions as t
where
    t.tenant_id = $1 and t.appointment_id = $2 and t.to_status = $3
    and t.action in ('check_in', 'start', 'complete', 'no_show')
order by t.occurred_at desc, t.id desc
limit 1
