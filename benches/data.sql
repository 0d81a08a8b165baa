-- What the benchmark measures on: 100 organizations of 10 providers each, every provider with bench.appointments
-- appointments, one an hour from bench.first (seconds since 1970). Sent by benches/load.rs as a superuser, one statement
-- at a time; the line above a statement is what is printed when it is done.
--
-- Ids begin with a decimal number, so that pgbench can make them up, where those of the server have the time: the GiST
-- index looks at the first 53 bits when it decides where a row goes, and is no good when those are the same in all.
-- Organization, owner, session and service n have one id; provider p is of organization p / 10, contact c of c / 100, with
-- an id 50,000,000 further on: both can be claimed, so theirs must not meet.

-- ids
create function pg_temp.id(number bigint) returns uuid
language sql immutable
return ((100000000000 + number)::text || '70008000000000000000')::uuid;

-- accounts
insert into identity.accounts (id, email, password_hash)
select pg_temp.id(n), 'owner' || n || '@bench.test', 'no password opens this'
from generate_series(0, 99) as n;

-- organizations
insert into tenancy.organizations (id, name, slug)
select pg_temp.id(n), 'Organization ' || n, 'organization-' || n
from generate_series(0, 99) as n;

-- members
insert into tenancy.members (tenant_id, account_id, role)
select id, id, 'owner'
from tenancy.organizations;

-- sessions
insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
select id, id, id, 'token', sha256(uuid_send(id)), 'infinity'
from tenancy.organizations;

-- subscriptions
insert into tenancy.subscriptions (tenant_id, plan_type)
select id, 'enterprise'
from tenancy.organizations;

-- services
insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes)
select id, id, 'Half an hour', 30, 30
from tenancy.organizations;

-- contacts
insert into crm.contacts (tenant_id, id, first_name, last_name, email)
select pg_temp.id(c / 100), pg_temp.id(50000000 + c), 'First ' || c, 'Last ' || c, 'contact' || c || '@bench.test'
from generate_series(0, 9999) as c;

-- resources
insert into scheduling.resources (tenant_id, id, kind)
select pg_temp.id(p / 10), pg_temp.id(p), 'provider'
from generate_series(0, 999) as p;

-- providers
insert into scheduling.providers (tenant_id, id, name)
select pg_temp.id(p / 10), pg_temp.id(p), 'Provider ' || p
from generate_series(0, 999) as p;

-- schedules
insert into scheduling.schedules (tenant_id, provider_id, time_zone)
select tenant_id, id, 'UTC'
from scheduling.providers;

-- schedule rules: open day and night
insert into scheduling.schedule_rules (tenant_id, provider_id, weekday, from_minute, to_minute)
select tenant_id, id, weekday, 0, 1440
from scheduling.providers
cross join generate_series(1, 7) as weekday;

-- without triggers from here on: the audit log of a million bookings at once is not what is measured
set session_replication_role = replica;

-- and one organization of 20 providers who work from nine to five, with 5,000 appointments in a month
with organization as (
    insert into tenancy.organizations (id, name, slug) values (pg_temp.id(100), 'Organization 100', 'organization-100')
),
account as (
    insert into identity.accounts (id, email, password_hash)
    values (pg_temp.id(100), 'owner100@bench.test', 'no password opens this')
),
member as (
    insert into tenancy.members (tenant_id, account_id, role) values (pg_temp.id(100), pg_temp.id(100), 'owner')
),
session as (
    insert into identity.sessions (account_id, id, organization_id, kind, secret_hash, expires_at)
    values (
        pg_temp.id(100), pg_temp.id(100), pg_temp.id(100), 'token', sha256(uuid_send(pg_temp.id(100))), 'infinity'
    )
),
subscription as (
    insert into tenancy.subscriptions (tenant_id, plan_type) values (pg_temp.id(100), 'enterprise')
),
service as (
    insert into scheduling.services (tenant_id, id, name, duration_minutes, slot_step_minutes)
    values (pg_temp.id(100), pg_temp.id(100), 'Half an hour', 30, 30)
),
contact as (
    insert into crm.contacts (tenant_id, id, first_name, last_name)
    values (pg_temp.id(100), pg_temp.id(50010000), 'First', 'Last')
),
provider as (
    select pg_temp.id(p) as id from generate_series(1000, 1019) as p
),
resource as (
    insert into scheduling.resources (tenant_id, id, kind) select pg_temp.id(100), id, 'provider' from provider
),
provided as (
    insert into scheduling.providers (tenant_id, id, name) select pg_temp.id(100), id, 'Provider' from provider
),
schedule as (
    insert into scheduling.schedules (tenant_id, provider_id, time_zone) select pg_temp.id(100), id, 'UTC' from provider
),
rule as (
    insert into scheduling.schedule_rules (tenant_id, provider_id, weekday, from_minute, to_minute)
    select pg_temp.id(100), id, weekday, 540, 1020 from provider cross join generate_series(1, 7) as weekday
),
booked as (
    insert into scheduling.appointments (
        tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, created_by
    )
    select
        pg_temp.id(100), gen_random_uuid(), pg_temp.id(100), p.id, pg_temp.id(50010000), t.starts_at,
        t.starts_at + interval '30 minutes', pg_temp.id(100)
    from provider as p
    cross join generate_series(0, 249) as n
    cross join lateral (
        select to_timestamp(
            current_setting('bench.first')::bigint / 86400 * 86400 + n / 8 * 86400 + 9 * 3600 + n % 8 * 3600
        ) as starts_at
    ) as t
    returning tenant_id, id, provider_id, starts_at, ends_at, service_id
)
insert into scheduling.claims (
    tenant_id, id, resource_id, appointment_id, starts_at, ends_at, service_id, service_starts_at
)
select tenant_id, id, provider_id, id, starts_at, ends_at, service_id, starts_at
from booked;

-- appointments, in the order of time, as in a system that has grown
insert into scheduling.appointments (
    tenant_id, id, service_id, provider_id, contact_id, starts_at, ends_at, created_by
)
select
    pg_temp.id(p / 10),
    pg_temp.id(hour * 1000 + p),
    pg_temp.id(p / 10),
    pg_temp.id(p),
    pg_temp.id(50000000 + p / 10 * 100 + (hour + p) % 100),
    to_timestamp(current_setting('bench.first')::bigint + hour * 3600),
    to_timestamp(current_setting('bench.first')::bigint + hour * 3600 + 1800),
    pg_temp.id(p / 10)
from generate_series(0, current_setting('bench.appointments')::bigint - 1) as hour
cross join generate_series(0, 999) as p
order by hour, p;

-- claims
insert into scheduling.claims (
    tenant_id, id, resource_id, appointment_id, starts_at, ends_at, service_id, service_starts_at
)
select tenant_id, id, provider_id, id, starts_at, ends_at, service_id, starts_at
from scheduling.appointments
where tenant_id <> pg_temp.id(100)
order by id;

-- with triggers again
set session_replication_role = origin;

-- statistics
vacuum (analyze);

-- checkpoint
checkpoint;
