-- What `appointd dev` prints for the role of the server: it enters an organization, as the server does for each
-- request. Tenant, account and session are variables of psql, and so is the secret of the session, in hexadecimal.
begin;
select app.enter(
    :'tenant', :'account', :'session', decode(:'secret', 'hex'), 'viewer', null,
    null, null
);
select count(*) as appointments, count(distinct tenant_id) as organizations
from scheduling.appointments;
commit;
