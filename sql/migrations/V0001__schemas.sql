-- The schemas: one per module of the server, plus `app` (made by sql/setup/database.sql) for what all of them stand on.
-- The auditor may resolve names in them and read nothing.

create extension if not exists btree_gist with schema public;

create schema identity;
create schema tenancy;
create schema crm;
create schema scheduling;

comment on schema app is 'What every module stands on: migration history, tenant context, policy helper.';
comment on schema identity is 'Who people are: accounts and their passwords. Global, not owned by a tenant.';
comment on schema tenancy is 'Organizations (the tenants) and their members.';
comment on schema crm is 'The people an organization deals with: contacts.';
comment on schema scheduling is 'Services, providers, their hours, and the appointments that claim their time.';

grant usage on schema app, identity, tenancy, crm, scheduling to appointd_api, appointd_auditor;

-- A function is callable by nobody until a migration says by whom.
alter default privileges revoke execute on functions from public;

-- The server compares this with the migrations it was built with and refuses to start on an older database.
grant select on app.migrations to appointd_api;
comment on table app.migrations is 'Which migrations were applied, when, and their checksums. Written by `appointd migrate`.';
