-- $1 seconds since the day of an organization began, $2 further seconds; the active organizations of which so much of
-- the day has passed
--
-- Sent as appointd_worker.
select o.id
from tenancy.organizations_in_day(make_interval(secs => $1), make_interval(secs => $2)) as o (id)
