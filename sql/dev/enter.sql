-- What `appointd dev` prints for the role of the server: it enters an organization, as the server does for each
-- request. Tenant, account and session are variables of psql.
begin;
select app.enter(:'tenant', :'account', :'session', 'viewer', null, null, null);
select count(*) as appointments, count(distinct tenant_id) as organizations
from scheduling.appointments;
commit;
