-- Jobs: what is done in the background, in one organization each. A job is ready, or scheduled for later; a worker that
-- claims it holds a lease with a random token, does the work outside any transaction, and deletes the job when it is
-- done. The token decides: a worker that lost the lease changes no row. A failed job is tried again later; after its
-- last attempt it is dead, until an admin requeues or discards it.
--
-- A worker that looks for jobs locks the row of the organization in messaging.turns first and counts in the next
-- statement, so that no two workers count at once: more jobs than turns.job_cap never run in one organization.

alter table messaging.turns
add column job_cap smallint not null default 4,
add constraint turns_job_cap check (job_cap between 1 and 100);

comment on column messaging.turns.job_cap is 'The maximum number of jobs of the organization that run at once.';

grant select (job_cap) on messaging.turns to appointd_worker;

create table messaging.jobs (
    tenant_id uuid not null default app.tenant(),
    id uuid not null default gen_random_uuid(),
    kind text not null,
    lane text not null default 'live',
    key text,
    payload jsonb not null default '{}',
    state text not null default 'ready',
    run_at timestamptz not null default now(),
    attempt smallint not null default 0,
    max_attempts smallint not null default 12,
    lease_until timestamptz,
    lease_token uuid,
    leases_lost smallint not null default 0,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint jobs_pkey primary key (tenant_id, id),
    constraint jobs_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint jobs_kind_length check (length(kind) between 1 and 100),
    constraint jobs_key_length check (length(key) between 1 and 200),
    constraint jobs_lane check (lane in ('live', 'bulk')),
    constraint jobs_payload check (jsonb_typeof(payload) = 'object' and length(payload::text) <= 4096),
    constraint jobs_state check (state in ('scheduled', 'ready', 'running', 'dead')),
    constraint jobs_lease check ((state = 'running') = (lease_until is not null and lease_token is not null)),
    constraint jobs_attempts check (attempt >= 0 and max_attempts >= 1),
    constraint jobs_last_error_length check (length(last_error) <= 500)
)
-- Rows change all the time: pages with room for a new version of a row, and vacuum by their number and at once.
with (
    fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_cost_delay = 0
);

comment on table messaging.jobs is 'Work in the background that is not done yet. A job that is done is deleted.';
comment on column messaging.jobs.id is 'Random, made by the database.';
comment on column messaging.jobs.kind is 'What is to be done: the module and a verb.';
comment on column messaging.jobs.lane is
    'live (people wait for it) or bulk (exports, upkeep): bulk gets at most half of the places of a process.';
comment on column messaging.jobs.key is
    'Of the jobs of one kind that are not dead, one has this key: adding another changes nothing. Null: none.';
comment on column messaging.jobs.payload is 'What it is about: ids, at most 4 kB. No secrets, no texts of people.';
comment on column messaging.jobs.state is
    'scheduled (for run_at), ready, running (a worker holds the lease), or dead (its last attempt failed).';
comment on column messaging.jobs.run_at is 'When it is due: the order among jobs of an organization that are ready.';
comment on column messaging.jobs.attempt is 'Number of attempts that were begun.';
comment on column messaging.jobs.max_attempts is 'When as many have failed, it is dead.';
comment on column messaging.jobs.lease_until is
    'The worker extends it while it works. After this another worker takes over.';
comment on column messaging.jobs.lease_token is
    'Random for each claim: what a worker changes, it changes only while the token is still its own.';
comment on column messaging.jobs.leases_lost is
    'Number of workers that vanished while they did this job, in a row. After three it is dead.';
comment on column messaging.jobs.last_error is
    'Why the last attempt failed, at most 500 characters; null: none did.';
comment on column messaging.jobs.created_at is 'When it was added.';
comment on column messaging.jobs.updated_at is 'When the row last changed, except its lease.';

create unique index jobs_key on messaging.jobs (tenant_id, kind, key) where key is not null and state <> 'dead';
create index jobs_ready_idx on messaging.jobs (lane, tenant_id, run_at, id) where state = 'ready';
-- Apart from those that are ready: a search for work never reads what is not due.
create index jobs_scheduled_idx on messaging.jobs (run_at, tenant_id) where state = 'scheduled';
create index jobs_running_idx on messaging.jobs (tenant_id, lease_until) where state = 'running';
create index jobs_lease_idx on messaging.jobs (lease_until, tenant_id) where state = 'running';

-- The door: the gate finds the organizations that have jobs. Admins see the jobs of their organization, and requeue or
-- discard dead ones.
call app.build_wall('messaging.jobs', reads => 'admin', door => $$(select current_user) = 'appointd_gate'$$);
call app.open_to('messaging.jobs', 'admin,owner', 'update', $$state in ('dead', 'ready')$$);
call app.open_to('messaging.jobs', 'admin,owner', 'delete', $$state = 'dead'$$);
create policy gate_select on messaging.jobs as permissive for select to appointd_gate using (true);
call app.admit('messaging.jobs', 'appointd_worker', array['select', 'insert', 'update', 'delete']);
call app.admit('messaging.jobs', 'appointd_owner', array['all']);

grant
    select (
        tenant_id, id, kind, lane, key, payload, state, run_at, attempt, max_attempts, leases_lost, last_error,
        created_at, updated_at
    ),
    update (state, run_at, attempt, leases_lost, updated_at),
    delete
on messaging.jobs to appointd_api;
grant select (tenant_id, kind, lane, state, run_at, lease_until) on messaging.jobs to appointd_gate;
grant
    select,
    insert (kind, lane, key, payload, state, run_at, max_attempts),
    update (state, run_at, attempt, lease_until, lease_token, leases_lost, last_error, updated_at),
    delete
on messaging.jobs to appointd_worker;


create table messaging.cron_runs (
    name text not null,
    tick text not null,
    due_at timestamptz not null,
    outcome text not null,
    lease_until timestamptz,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint cron_runs_pkey primary key (name, tick),
    constraint cron_runs_name_length check (length(name) between 1 and 100),
    constraint cron_runs_tick_length check (length(tick) between 1 and 40),
    constraint cron_runs_outcome check (outcome in ('started', 'done', 'failed', 'missed')),
    constraint cron_runs_lease check ((outcome = 'started') = (lease_until is not null))
)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

comment on table messaging.cron_runs is
    'What is done regularly for the whole server: one row for each time it was due. Its key decides which worker does '
    'it. Belongs to no organization and names none.';
comment on column messaging.cron_runs.name is 'What is done.';
comment on column messaging.cron_runs.tick is
    'The time of day it was due at, with its date, in the zone of the schedule: a time that occurs twice is one tick.';
comment on column messaging.cron_runs.due_at is 'When it was due.';
comment on column messaging.cron_runs.outcome is
    'started, done, failed, or missed (no worker ran when it was due, and it was too late when one did).';
comment on column messaging.cron_runs.lease_until is 'While it runs: after this another worker does it again.';
comment on column messaging.cron_runs.started_at is 'When a worker began with it.';
comment on column messaging.cron_runs.finished_at is 'When it ended; null: it runs, or the worker vanished.';

create index cron_runs_due_idx on messaging.cron_runs (due_at);

alter table messaging.cron_runs enable row level security;
alter table messaging.cron_runs force row level security;

create policy gate_all on messaging.cron_runs as permissive for all to appointd_gate using (true) with check (true);

grant select, insert, update, delete on messaging.cron_runs to appointd_gate;
