-- $1 tenant_id; locks what the owners were told, and returns it with the name and time zone of the organization
--
-- Sent as appointd_worker.
with locked as (
    insert into tenancy.alerts as a (told)
    values ('{}')
    on conflict (tenant_id) do update set told = a.told
    returning a.told, a.told_on
)
select
    l.told, coalesce(l.told_on >= (now() at time zone o.time_zone)::date, false) as told_today, o.name, o.time_zone
from locked as l
join tenancy.organizations as o on o.id = $1
