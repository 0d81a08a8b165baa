-- The schemas: one per module of the server, plus `app`, which sql/setup/database.sql creates and every module uses.

create extension if not exists btree_gist with schema public;

create schema identity;
create schema tenancy;
create schema crm;
create schema scheduling;
create schema operations;
create schema messaging;

comment on schema app is 'What every module uses: migration history, tenant context, helpers that write policies.';
comment on schema identity is 'Who people are: accounts, sessions, second factors. Global, not owned by a tenant.';
comment on schema tenancy is 'Organizations (the tenants), their plans, settings and members.';
comment on schema crm is 'The people an organization deals with: contacts.';
comment on schema scheduling is 'Services, providers, their hours, and the appointments that claim their time.';
comment on schema operations is 'Running the system: the audit log, idempotency keys, deletions.';
comment on schema messaging is 'Telling people things: how many mails may be sent.';

-- The auditor may resolve names and read no row. The gate owns the functions that run before, or across, tenants.
grant usage on schema app, identity, tenancy, crm, scheduling, operations, messaging
to appointd_api, appointd_auditor, appointd_gate;
-- The role for what happens before the caller is known calls functions of the gate and reaches no table.
grant usage on schema app, identity, tenancy, scheduling to appointd_door;

-- No role may call a new function until a migration grants it. The setting belongs to the role that creates the
-- function: once for the owner, once for the gate.
alter default privileges revoke execute on functions from public;
set local role appointd_gate;
alter default privileges revoke execute on functions from public;
reset role;

-- The server compares this with the migrations it was built with, and refuses to start on an older database.
comment on table app.migrations is
    'Which migrations were applied, when, and their checksums. Written by `appointd migrate`.';
grant select on app.migrations to appointd_api, appointd_door;
