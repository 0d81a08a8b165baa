-- Five organizations with as many rows in each list as the setting test.rows says, for plans.rs. Sent by a superuser,
-- without triggers. Organization, owner and session n have one id.
set session_replication_role = replica;
set synchronous_commit = off;

create function pg_temp.id(number bigint) returns uuid
language sql immutable
return ((100000000000 + number)::text || '70008000000000000000')::uuid;

insert into identity.accounts (id, email, password_hash)
select pg_temp.id(t), 'owner' || t || '@plans.test', 'no password opens this'
from generate_series(0, 4) as t;

insert into tenancy.organizations (id, name, slug)
select pg_temp.id(t), 'Organization ' || t, 'plans-' || t
from generate_series(0, 4) as t;

insert into tenancy.subscriptions (tenant_id)
select pg_temp.id(t)
from generate_series(0, 4) as t;

insert into tenancy.members (tenant_id, account_id, role)
select pg_temp.id(t), pg_temp.id(t), 'owner'
from generate_series(0, 4) as t;

insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
select pg_temp.id(t), pg_temp.id(t), pg_temp.id(t), 'token', sha256(uuid_send(pg_temp.id(t))), 'infinity'
from generate_series(0, 4) as t;

insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes)
select pg_temp.id(t), pg_temp.id(10), 'Service', 30, 30
from generate_series(0, 4) as t;

insert into scheduling.resources (tenant_id, id, kind)
select pg_temp.id(t), pg_temp.id(20 + p), 'provider'
from generate_series(0, 4) as t
cross join generate_series(0, 9) as p;

insert into scheduling.providers (tenant_id, id, name)
select pg_temp.id(t), pg_temp.id(20 + p), 'Provider ' || p
from generate_series(0, 4) as t
cross join generate_series(0, 9) as p;

insert into crm.contacts (tenant_id, id, first_name, last_name, email)
select pg_temp.id(t), pg_temp.id(1000000 + n * 5 + t), 'First ' || n, 'Last ' || n, 'c' || n || '@plans.test'
from generate_series(0, current_setting('test.rows')::integer - 1) as n
cross join generate_series(0, 4) as t;

insert into scheduling.appointments (
    tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, created_by
)
select
    pg_temp.id(t), pg_temp.id(2000000 + n * 5 + t), pg_temp.id(10), pg_temp.id(20 + n % 10),
    pg_temp.id(1000000 + n * 5 + t), timestamptz '2031-01-01' + n * interval '30 minutes',
    timestamptz '2031-01-01' + n * interval '30 minutes' + interval '20 minutes', pg_temp.id(t)
from generate_series(0, current_setting('test.rows')::integer - 1) as n
cross join generate_series(0, 4) as t;

insert into scheduling.waitlist_entries (
    tenant_id, id, service_id, contact_id, from_instant, to_instant, created_at
)
select
    pg_temp.id(t), pg_temp.id(3000000 + n * 5 + t), pg_temp.id(10), pg_temp.id(1000000 + n * 5 + t),
    timestamptz '2031-01-01', timestamptz '2031-01-02', timestamptz '2030-01-01' + n * interval '1 minute'
from generate_series(0, current_setting('test.rows')::integer - 1) as n
cross join generate_series(0, 4) as t;

insert into scheduling.holds (tenant_id, id, service_id, provider_id, starts_at, ends_at, expires_at)
select
    pg_temp.id(t), pg_temp.id(4000000 + n * 5 + t), pg_temp.id(10), pg_temp.id(20 + n % 10),
    timestamptz '2031-01-01', timestamptz '2031-01-01 00:30', 'infinity'
from generate_series(0, current_setting('test.rows')::integer - 1) as n
cross join generate_series(0, 4) as t;

insert into work.tasks (tenant_id, id, title, board_position)
select pg_temp.id(t), pg_temp.id(5000000 + n * 5 + t), 'Task ' || n, 1 + n
from generate_series(0, current_setting('test.rows')::integer - 1) as n
cross join generate_series(0, 4) as t;

-- Of every tenth task behind the first page, and so many that an index is worth it at 100 rows too.
insert into work.checklist_items (tenant_id, id, task_id, text)
select pg_temp.id(t), pg_temp.id(5000000 + n * 5 + t), pg_temp.id(5000000 + n * 5 + t), 'Step'
from generate_series(100, greatest(current_setting('test.rows')::integer, 5000) - 1, 10) as n
cross join generate_series(0, 4) as t;

insert into work.task_tags (tenant_id, task_id, tag)
select tenant_id, task_id, 'tag'
from work.checklist_items;

insert into work.task_links (tenant_id, task_id, service_id)
select tenant_id, task_id, pg_temp.id(10)
from work.checklist_items;

set session_replication_role = origin;
