-- The schema as it is: what sql/migrations makes, read from the catalog by tests/it/db/schema.sql. To read, not to run
-- and not to edit. After a migration: APPOINTD_UPDATE_SNAPSHOTS=1 cargo test schema

-- Telling people and programs: events, jobs, webhooks, messages.
create schema messaging authorization appointd_owner;

grant usage on schema messaging to appointd_api;
grant usage on schema messaging to appointd_auditor;
grant usage on schema messaging to appointd_gate;
grant usage on schema messaging to appointd_worker;


-- What is done regularly for the whole server: one row for each time it was due. Its key decides which worker does it.
-- Belongs to no organization and names none.
create table messaging.cron_runs (
    -- What is done.
    name text not null,
    -- The time of day it was due at, with its date, in the zone of the schedule: a time that occurs twice is one tick.
    tick text not null,
    -- When it was due.
    due_at timestamptz not null,
    -- started, done, failed, or missed (no worker ran when it was due, and it was too late when one did).
    outcome text not null,
    -- While it runs: after this another worker does it again.
    lease_until timestamptz,
    -- When a worker began with it.
    started_at timestamptz not null default now(),
    -- When it ended; null: it runs, or the worker vanished.
    finished_at timestamptz,
    constraint cron_runs_pkey primary key (name, tick),
    constraint cron_runs_lease check ((outcome = 'started') = (lease_until is not null)),
    constraint cron_runs_name_length check (length(name) >= 1 and length(name) <= 100),
    constraint cron_runs_outcome check (outcome = any (array['started', 'done', 'failed', 'missed'])),
    constraint cron_runs_tick_length check (length(tick) >= 1 and length(tick) <= 40)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000);

create index cron_runs_due_idx on messaging.cron_runs using btree (due_at);

alter table messaging.cron_runs enable row level security, force row level security;

create policy gate_all on messaging.cron_runs as permissive for all to appointd_gate
    using (true)
    with check (true);

grant select, insert, update, delete on messaging.cron_runs to appointd_gate;


-- Events in the order in which they were published. Append-only: rows are deleted when they are old.
create table messaging.events (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Number of the event in its organization, from 1, without gaps. A new event has a higher one than all before it.
    "position" bigint not null,
    -- The id of the event: the same for every delivery of it.
    id uuid not null,
    -- When it happened.
    occurred_at timestamptz not null,
    -- When it got its position.
    published_at timestamptz not null default now(),
    -- The account or API key that caused it; null: a guest or the system.
    actor_id uuid,
    -- account, api_key, guest or system.
    actor_kind text not null,
    -- X-Request-Id of the request.
    request_id text,
    -- The kind of the object and what happened to it, as in contact.created.
    type text not null,
    -- The id of the object.
    subject_id uuid not null,
    -- The contact that the object is about: the customer who is that contact reads the event. Null: none.
    contact_id uuid,
    -- The provider that the object is about; null: none.
    provider_id uuid,
    -- The lowest role of members that may read it: viewer, staff or admin.
    lowest_role text not null,
    -- The object after the event; deleted: before it. With the names, at the time of publishing, of what it refers to.
    data jsonb not null,
    -- For a change: what the changed columns held before. Null: nothing.
    previous jsonb,
    constraint events_pkey primary key (tenant_id, "position"),
    constraint events_position check ("position" >= 1)
);

create index events_contact_idx on messaging.events using btree (tenant_id, contact_id, "position")
where contact_id is not null;
create index events_published_idx on messaging.events using btree (tenant_id, published_at);
create index events_subject_idx on messaging.events using btree (tenant_id, subject_id, "position");
create index events_type_idx on messaging.events using btree (tenant_id, type, "position");

alter table messaging.events enable row level security, force row level security;

create policy tenant_floor on messaging.events as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_or_owner_select on messaging.events as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')) and lowest_role = 'admin');
create policy customer_select on messaging.events as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{customer}'))
        and (contact_id = any ((select crm.own_contacts() as own_contacts)::uuid[]))
    );
create policy owner_all on messaging.events as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_or_manager_or_admin_or_owner_select on messaging.events as permissive for select to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{staff,manager,admin,owner}'))
        and lowest_role = 'staff'
    );
create policy viewer_or_staff_or_manager_or_admin_or_owner_select on messaging.events as permissive for select to
appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{viewer,staff,manager,admin,owner}'))
        and lowest_role = 'viewer'
    );
create policy worker_delete on messaging.events as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_insert on messaging.events as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.events as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on messaging.events to appointd_api;
grant select, delete on messaging.events to appointd_worker;
grant insert (
    position, id, occurred_at, actor_id, actor_kind, request_id, type, subject_id, contact_id, provider_id, lowest_role,
    data, previous
) on messaging.events to appointd_worker;


-- Work in the background that is not done yet. A job that is done is deleted.
create table messaging.jobs (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Random, made by the database.
    id uuid not null default gen_random_uuid(),
    -- What is to be done: the module and a verb.
    kind text not null,
    -- live (people wait for it) or bulk (exports, upkeep): bulk gets at most half of the places of a process.
    lane text not null default 'live',
    -- Of the jobs of one kind that are not dead, one has this key: adding another changes nothing. Null: none.
    key text,
    -- What it is about: ids, at most 4 kB. No secrets, no texts of people.
    payload jsonb not null default '{}'::jsonb,
    -- scheduled (for run_at), ready, running (a worker holds the lease), or dead (its last attempt failed).
    state text not null default 'ready',
    -- When it is due: the order among jobs of an organization that are ready.
    run_at timestamptz not null default now(),
    -- Number of attempts that were begun.
    attempt smallint not null default 0,
    -- When as many have failed, it is dead.
    max_attempts smallint not null default 12,
    -- The worker extends it while it works. After this another worker takes over.
    lease_until timestamptz,
    -- Random for each claim: what a worker changes, it changes only while the token is still its own.
    lease_token uuid,
    -- Number of workers that vanished while they did this job, in a row. After three it is dead.
    leases_lost smallint not null default 0,
    -- Why the last attempt failed, at most 500 characters; null: none did.
    last_error text,
    -- When it was added.
    created_at timestamptz not null default now(),
    -- When the row last changed, except its lease.
    updated_at timestamptz not null default now(),
    constraint jobs_pkey primary key (tenant_id, id),
    constraint jobs_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint jobs_attempts check (attempt >= 0 and max_attempts >= 1),
    constraint jobs_key_length check (length(key) >= 1 and length(key) <= 200),
    constraint jobs_kind_length check (length(kind) >= 1 and length(kind) <= 100),
    constraint jobs_lane check (lane = any (array['live', 'bulk'])),
    constraint jobs_last_error_length check (length(last_error) <= 500),
    constraint jobs_lease check ((state = 'running') = (lease_until is not null and lease_token is not null)),
    constraint jobs_payload check (jsonb_typeof(payload) = 'object' and length(payload::text) <= 4096),
    constraint jobs_state check (state = any (array['scheduled', 'ready', 'running', 'dead']))
) with (
    fillfactor=70, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_cost_delay=0
);

create unique index jobs_key on messaging.jobs using btree (tenant_id, kind, key) where key is not null
and state <> 'dead';
create index jobs_lease_idx on messaging.jobs using btree (lease_until, tenant_id) where state = 'running';
create index jobs_ready_idx on messaging.jobs using btree (lane, tenant_id, run_at, id) where state = 'ready';
create index jobs_running_idx on messaging.jobs using btree (tenant_id, lease_until) where state = 'running';
create index jobs_scheduled_idx on messaging.jobs using btree (run_at, tenant_id) where state = 'scheduled';

alter table messaging.jobs enable row level security, force row level security;

create policy tenant_floor_delete on messaging.jobs as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on messaging.jobs as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on messaging.jobs as restrictive for select to public
    using (tenant_id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on messaging.jobs as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_or_owner_delete on messaging.jobs as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')) and state = 'dead');
create policy admin_or_owner_update on messaging.jobs as permissive for update to appointd_api
    using (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and (state = any (array['dead', 'ready']))
    )
    with check (
        tenant_id = (select app.tenant())
        and (select app.role() = any ('{admin,owner}'))
        and (state = any (array['dead', 'ready']))
    );
create policy admin_select on messaging.jobs as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_insert on messaging.jobs as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on messaging.jobs as permissive for select to appointd_gate
    using (true);
create policy gate_update on messaging.jobs as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on messaging.jobs as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_delete on messaging.jobs as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_insert on messaging.jobs as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.jobs as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on messaging.jobs as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant delete on messaging.jobs to appointd_api;
grant select (
    tenant_id, id, kind, lane, key, payload, state, run_at, attempt, max_attempts, leases_lost, last_error, created_at,
    updated_at
) on messaging.jobs to appointd_api;
grant update (state, run_at, attempt, leases_lost, updated_at) on messaging.jobs to appointd_api;
grant insert (kind, lane, key, payload, max_attempts) on messaging.jobs to appointd_gate;
grant select (tenant_id, kind, lane, key, state, run_at, lease_until) on messaging.jobs to appointd_gate;
grant update (state, run_at, updated_at) on messaging.jobs to appointd_gate;
grant select, delete on messaging.jobs to appointd_worker;
grant insert (kind, lane, key, payload, state, run_at, max_attempts) on messaging.jobs to appointd_worker;
grant update (
    state, run_at, attempt, lease_until, lease_token, leases_lost, last_error, updated_at
) on messaging.jobs to appointd_worker;


-- How much of its budget an address, an inviter or an organization has spent. A budget refills steadily: the amount
-- spent decreases with time. Belongs to no organization: the budget of an address is shared by all.
create table messaging.mail_budgets (
    -- What is counted, and over which period. account: mails to an address about the account of the person; recipient:
    -- mails to an address sent for organizations; inviter: invitations of one account or API key; organization: mails
    -- sent for one organization.
    bucket text not null,
    -- SHA-256 of the e-mail address in lower case, without a plus sign in the local part and what follows it; or of the
    -- id of the inviter or organization.
    subject bytea not null,
    -- Number of mails spent at counted_at.
    spent double precision not null default 0,
    -- When the last mail was counted.
    counted_at timestamptz not null default now(),
    constraint mail_budgets_pkey primary key (bucket, subject),
    constraint mail_budgets_bucket check (
        bucket = any (
            array['account_hour', 'account_day', 'recipient_hour', 'recipient_day', 'inviter_hour', 'organization_hour',
            'organization_day']
        )
    ),
    constraint mail_budgets_spent check (spent >= 0::double precision),
    constraint mail_budgets_subject_length check (length(subject) = 32)
);

create index mail_budgets_time_idx on messaging.mail_budgets using btree (counted_at);

alter table messaging.mail_budgets enable row level security, force row level security;

create policy gate_all on messaging.mail_budgets as permissive for all to appointd_gate
    using (true)
    with check (true);

grant select, insert, update, delete on messaging.mail_budgets to appointd_gate;


-- What people are told about events. Kept for as long as the organization keeps data about people
-- (tenancy.settings.data_retention_days).
create table messaging.messages (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Random, made by the database: the Message-ID of an e-mail contains it.
    id uuid not null default gen_random_uuid(),
    -- The event that it is about, or because of which it was planned.
    event_id uuid not null,
    -- The type of the event, or what is planned: appointment.reminder, appointment.thanks.
    event text not null,
    -- The object of the event.
    subject_id uuid not null,
    -- The revision of the object after the event. If it has changed again when the message is due, the message is
    -- skipped: the later event has one of its own.
    sequence integer not null,
    -- contact, or member (who works for the organization).
    recipient text not null,
    -- The contact, or the account of the member.
    recipient_id uuid not null,
    -- email.
    channel text not null,
    -- queued; sending (a worker talks to the mail server, or vanished while it did); sent (the mail server took it);
    -- unknown (the connection broke before the mail server answered, twice); failed; skipped.
    state text not null default 'queued',
    -- Why it failed: refused (by the mail server), gave_up. Why it was skipped: stale, past, no_address, no_channel,
    -- switched_off, opted_out, unverified, over_budget, template. Null otherwise.
    reason text,
    -- How often it was begun to be sent.
    attempts smallint not null default 0,
    -- How often it is unknown whether it was sent. After two, of a planned message after one, it is not sent again.
    doubts smallint not null default 0,
    -- Where it went; null: not sent yet.
    address text,
    -- The language of its text; null: not sent yet.
    language text,
    -- The subject of the e-mail; null: not sent yet.
    title text,
    -- Of a planned message: the start of the appointment that it was planned for. Null: it is sent at once.
    about_at timestamptz,
    -- Of a reminder: how many minutes before the start. Of thanks: 0. Null: it is sent at once.
    ahead_minutes integer,
    -- When a planned message is to be sent. Null: at once.
    due_at timestamptz,
    -- When the event happened.
    occurred_at timestamptz not null,
    -- When the event was published.
    created_at timestamptz not null default now(),
    -- When the state last changed.
    updated_at timestamptz not null default now(),
    -- When the mail server took it; null: it did not.
    sent_at timestamptz,
    constraint messages_pkey primary key (tenant_id, id),
    constraint messages_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint messages_address_length check (length(address) <= 254),
    constraint messages_ahead check (ahead_minutes >= 0),
    constraint messages_attempts check (attempts >= 0 and doubts >= 0 and doubts <= attempts),
    constraint messages_channel check (channel = 'email'),
    constraint messages_event_length check (length(event) >= 1 and length(event) <= 100),
    constraint messages_reason check ((state = any (array['failed', 'skipped'])) = (reason is not null)),
    constraint messages_reason_length check (length(reason) >= 1 and length(reason) <= 50),
    constraint messages_recipient check (recipient = any (array['contact', 'member'])),
    constraint messages_sent check ((state = 'sent') = (sent_at is not null)),
    constraint messages_state check (state = any (array['queued', 'sending', 'sent', 'unknown', 'failed', 'skipped'])),
    constraint messages_timed check (num_nonnulls(about_at, ahead_minutes, due_at) = any (array[0, 3])),
    constraint messages_title_length check (length(title) <= 200)
) with (fillfactor=80);

create index messages_created_idx on messaging.messages using btree (tenant_id, created_at, id);
create unique index messages_once on messaging.messages using btree (tenant_id, event_id, recipient_id, channel)
where about_at is null;
create index messages_recipient_idx on messaging.messages using btree (tenant_id, recipient_id, created_at);
create index messages_subject_idx on messaging.messages using btree (tenant_id, subject_id, created_at);
create unique index messages_timed_once on messaging.messages using btree (
    tenant_id, subject_id, event, about_at, ahead_minutes, recipient_id, channel
)
where about_at is not null;

alter table messaging.messages enable row level security, force row level security;

create policy tenant_floor on messaging.messages as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on messaging.messages as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy staff_select on messaging.messages as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{staff,manager,admin,owner}')));
create policy worker_delete on messaging.messages as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_insert on messaging.messages as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.messages as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on messaging.messages as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select on messaging.messages to appointd_api;
grant select, delete on messaging.messages to appointd_worker;
grant insert (
    event_id, event, subject_id, sequence, recipient, recipient_id, channel, about_at, ahead_minutes, due_at,
    occurred_at
) on messaging.messages to appointd_worker;
grant update (
    state, reason, attempts, doubts, address, language, title, due_at, updated_at, sent_at
) on messaging.messages to appointd_worker;


-- Events that are not published yet. Triggers write them; the worker moves them to messaging.events. The server has no
-- right on it.
create table messaging.outbox (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The order in which events of one object were written: a transaction that changes a row has locked it. Between
    -- objects it is no order of commits. Shared by all organizations; no organization can read it.
    seq bigint not null,
    -- The id of the event: the same for every delivery of it.
    id uuid not null default gen_random_uuid(),
    -- When.
    occurred_at timestamptz not null default clock_timestamp(),
    -- The account or API key that caused it; null: a guest or the system.
    actor_id uuid default coalesce(app.account(), app.api_key()),
    -- account, api_key, guest or system.
    actor_kind text not null,
    -- X-Request-Id of the request.
    request_id text default nullif(current_setting('app.request_id', true), ''),
    -- The kind of the object and what happened to it, as in contact.created.
    type text not null,
    -- The id of the object; for a member, the account; for a schedule, the provider; for what an organization has once,
    -- the organization.
    subject_id uuid not null,
    -- The lowest role of members that may read the event, which is that for the object: viewer, staff or admin.
    lowest_role text not null,
    -- The object after the event; deleted: before it. Without secrets.
    data jsonb not null,
    -- For a change: what the changed columns held before. Null: the object is new or deleted, or none changed.
    previous jsonb,
    constraint outbox_pkey primary key (tenant_id, seq, id),
    constraint outbox_actor_kind check (actor_kind = any (array['account', 'api_key', 'guest', 'system'])),
    constraint outbox_lowest_role check (lowest_role = any (array['viewer', 'staff', 'admin']))
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=1000, autovacuum_vacuum_cost_delay=0);

alter table messaging.outbox enable row level security, force row level security;

create policy tenant_floor_delete on messaging.outbox as restrictive for delete to public
    using (tenant_id = (select app.tenant()));
create policy tenant_floor_insert on messaging.outbox as restrictive for insert to public
    with check (tenant_id = (select app.tenant()));
create policy tenant_floor_select on messaging.outbox as restrictive for select to public
    using (tenant_id = (select app.tenant()) or (select current_user) = 'appointd_gate'::name);
create policy tenant_floor_update on messaging.outbox as restrictive for update to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy gate_insert on messaging.outbox as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy gate_select on messaging.outbox as permissive for select to appointd_gate
    using (true);
create policy owner_all on messaging.outbox as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_delete on messaging.outbox as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_select on messaging.outbox as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant insert (actor_kind, type, subject_id, lowest_role, data, previous) on messaging.outbox to appointd_gate;
grant select (tenant_id, seq, occurred_at) on messaging.outbox to appointd_gate;
grant select, delete on messaging.outbox to appointd_worker;
create table messaging.outbox_seq_seq (
    last_value bigint not null,
    log_cnt bigint not null,
    is_called boolean not null
);

alter table messaging.outbox_seq_seq disable row level security, no force row level security;


-- Texts of an organization that replace the default texts of messages, by event, recipient and language.
create table messaging.templates (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The type of the events.
    event text not null,
    -- contact, or member (who works for the organization).
    recipient text not null,
    -- The language, as the first part of a BCP 47 tag.
    language text not null,
    -- The template of the subject, at most 200 characters.
    subject text not null,
    -- The template of the text, at most 5,000 characters.
    body text not null,
    -- When it was created.
    created_at timestamptz not null default now(),
    -- When it last changed.
    updated_at timestamptz not null default now(),
    constraint templates_pkey primary key (tenant_id, id),
    constraint templates_key unique (tenant_id, event, recipient, language),
    constraint templates_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint templates_body_length check (length(body) >= 1 and length(body) <= 5000),
    constraint templates_event_length check (length(event) >= 1 and length(event) <= 100),
    constraint templates_language_form check (language ~ '^[a-z]{2,3}$'),
    constraint templates_recipient check (recipient = any (array['contact', 'member'])),
    constraint templates_subject_length check (length(subject) >= 1 and length(subject) <= 200)
);

alter table messaging.templates enable row level security, force row level security;

create policy tenant_floor on messaging.templates as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on messaging.templates as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_insert on messaging.templates as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_update on messaging.templates as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy manager_select on messaging.templates as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{manager,admin,owner}')));
create policy owner_all on messaging.templates as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.templates as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select, delete on messaging.templates to appointd_api;
grant insert (id, event, recipient, language, subject, body) on messaging.templates to appointd_api;
grant update (subject, body, updated_at) on messaging.templates to appointd_api;
grant select (tenant_id, event, recipient, language, subject, body) on messaging.templates to appointd_worker;

create trigger keep_updated_at before update of tenant_id, id, event, recipient, language, subject, body,
created_at on messaging.templates
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on messaging.templates
for each row execute function operations.record_change();


-- One row for each organization: a worker that works for it locks the row first. Requests never do.
create table messaging.turns (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The position of the newest event; 0: none was published.
    last_position bigint not null default 0,
    -- Events before this position were deleted because they were old. One more than last_position: all were.
    oldest_position bigint not null default 1,
    -- The maximum number of jobs of the organization that run at once.
    job_cap smallint not null default 4,
    constraint turns_pkey primary key (tenant_id),
    constraint turns_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint turns_job_cap check (job_cap >= 1 and job_cap <= 100),
    constraint turns_positions check (oldest_position >= 1 and oldest_position <= (last_position + 1))
) with (autovacuum_vacuum_scale_factor=0.02, autovacuum_vacuum_threshold=100);

alter table messaging.turns enable row level security, force row level security;

create policy tenant_floor on messaging.turns as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy customer_select on messaging.turns as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{customer}')));
create policy gate_insert on messaging.turns as permissive for insert to appointd_gate
    with check (tenant_id = (select app.tenant()));
create policy owner_all on messaging.turns as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy viewer_select on messaging.turns as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{viewer,staff,manager,admin,owner}')));
create policy worker_select on messaging.turns as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on messaging.turns as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select (tenant_id, last_position, oldest_position) on messaging.turns to appointd_api;
grant insert (last_position) on messaging.turns to appointd_gate;
grant select on messaging.turns to appointd_worker;
grant select (job_cap) on messaging.turns to appointd_worker;
grant update (last_position, oldest_position) on messaging.turns to appointd_worker;


-- The requests of a delivery, and what was answered. Append-only.
create table messaging.webhook_attempts (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- The delivery.
    delivery_id uuid not null,
    -- Number of the attempt, from 1.
    number smallint not null,
    -- When it ended.
    attempted_at timestamptz not null default now(),
    -- The HTTP status; null: no answer.
    status smallint,
    -- Why it failed, as a code; null: it did not.
    error text,
    -- How long it took.
    duration_ms integer not null,
    -- The beginning of the answer; null: it had no body.
    response text,
    constraint webhook_attempts_pkey primary key (tenant_id, delivery_id, number),
    constraint webhook_attempts_delivery_fkey foreign key (
        tenant_id, delivery_id
    ) references messaging.webhook_deliveries(tenant_id, id) on delete cascade,
    constraint webhook_attempts_error_length check (length(error) >= 1 and length(error) <= 50),
    constraint webhook_attempts_number check (number >= 1),
    constraint webhook_attempts_response_length check (length(response) <= 1024)
);

alter table messaging.webhook_attempts enable row level security, force row level security;

create policy tenant_floor on messaging.webhook_attempts as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_select on messaging.webhook_attempts as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy owner_all on messaging.webhook_attempts as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_insert on messaging.webhook_attempts as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.webhook_attempts as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));

grant select on messaging.webhook_attempts to appointd_api;
grant select on messaging.webhook_attempts to appointd_worker;
grant insert (
    delivery_id, number, status, error, duration_ms, response
) on messaging.webhook_attempts to appointd_worker;


-- An event on its way to an endpoint. Kept for 30 days.
create table messaging.webhook_deliveries (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- Random, made by the database.
    id uuid not null default gen_random_uuid(),
    -- The endpoint.
    endpoint_id uuid not null,
    -- The id of the event, which is the webhook-id of all its requests.
    event_id uuid not null,
    -- The position of the event, of whose row the body is made; null: a test, which is no event.
    event_position bigint,
    -- The type of the event.
    type text not null,
    -- pending, delivered (2xx), failed (the last attempt failed), or cancelled (the endpoint was disabled).
    state text not null default 'pending',
    -- Number of attempts that failed since it was added or retried: the next pause follows from it.
    step smallint not null default 0,
    -- Number of all attempts.
    attempts smallint not null default 0,
    -- When the next attempt is due; null: none is.
    next_at timestamptz default now(),
    -- When it was first delivered; null: it was not.
    delivered_at timestamptz,
    -- When it was added.
    created_at timestamptz not null default now(),
    constraint webhook_deliveries_pkey primary key (tenant_id, id),
    constraint webhook_deliveries_event_key unique (tenant_id, endpoint_id, event_id),
    constraint webhook_deliveries_endpoint_fkey foreign key (
        tenant_id, endpoint_id
    ) references messaging.webhook_endpoints(tenant_id, id) on delete cascade,
    constraint webhook_deliveries_counts check (step >= 0 and attempts >= 0),
    constraint webhook_deliveries_delivered check ((state = 'delivered') = (delivered_at is not null)),
    constraint webhook_deliveries_pending check (state <> 'pending' or next_at is not null),
    constraint webhook_deliveries_state check (state = any (array['pending', 'delivered', 'failed', 'cancelled']))
) with (fillfactor=80);

create index webhook_deliveries_created_idx on messaging.webhook_deliveries using btree (tenant_id, created_at, id);
create index webhook_deliveries_due_idx on messaging.webhook_deliveries using btree (
    tenant_id, endpoint_id, next_at, event_position
)
where next_at is not null;

alter table messaging.webhook_deliveries enable row level security, force row level security;

create policy tenant_floor on messaging.webhook_deliveries as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_insert on messaging.webhook_deliveries as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_select on messaging.webhook_deliveries as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_update on messaging.webhook_deliveries as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_select on messaging.webhook_deliveries as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on messaging.webhook_deliveries as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on messaging.webhook_deliveries as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_delete on messaging.webhook_deliveries as permissive for delete to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_insert on messaging.webhook_deliveries as permissive for insert to appointd_worker
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.webhook_deliveries as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on messaging.webhook_deliveries as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select on messaging.webhook_deliveries to appointd_api;
grant insert (endpoint_id, event_id, event_position, type) on messaging.webhook_deliveries to appointd_api;
grant update (state, step, next_at) on messaging.webhook_deliveries to appointd_api;
grant select (tenant_id, endpoint_id, state, next_at) on messaging.webhook_deliveries to appointd_gate;
grant update (state, next_at) on messaging.webhook_deliveries to appointd_gate;
grant select, delete on messaging.webhook_deliveries to appointd_worker;
grant insert (endpoint_id, event_id, event_position, type) on messaging.webhook_deliveries to appointd_worker;
grant update (state, step, attempts, next_at, delivered_at) on messaging.webhook_deliveries to appointd_worker;

create trigger wake_endpoint after insert on messaging.webhook_deliveries
for each row when (new.next_at <= now()) execute function messaging.wake_endpoint();
create trigger wake_endpoint_update after update of next_at on messaging.webhook_deliveries
for each row when (new.next_at <= now()) execute function messaging.wake_endpoint();


-- Where events of the organization are sent.
create table messaging.webhook_endpoints (
    -- The organization. Filled from the context; the server has no right to write it.
    tenant_id uuid not null default app.tenant(),
    -- UUIDv7, made by the server.
    id uuid not null,
    -- The URL that gets a POST for each event.
    url text not null,
    -- What it is for, for people; null: not said.
    description text,
    -- The types of events that it wants: appointment.created, or appointment.* for all of a kind. Empty: all.
    types text[] not null default '{}',
    -- full, or ids: bodies contain no names, texts or addresses of people.
    payload text not null default 'full',
    -- Whether events are sent.
    enabled boolean not null default true,
    -- admin (a member disabled it), gone (it answered 410), failing (for five days), or maker (its maker may no longer
    -- make endpoints). Null: it is enabled.
    disabled_reason text,
    -- When it was disabled; null: it is enabled.
    disabled_at timestamptz,
    -- When the first of the attempts failed that have all failed since; null: the last one succeeded.
    failing_since timestamptz,
    -- Number of its secret, from 1. The secret follows from it, and is not stored.
    generation integer not null default 1,
    -- Which key of the server the secret follows from.
    key_id text not null,
    -- Which key the previous secret follows from, while it is valid beside the new one; null: none is.
    previous_key_id text,
    -- Until when requests are signed with the previous secret too; null: they are not.
    previous_valid_until timestamptz,
    -- When it was created.
    created_at timestamptz not null default now(),
    -- Its maker: the account or API key that created it, or that last enabled it or changed where and what it sends.
    created_by uuid not null default coalesce(app.account(), app.api_key()),
    -- When it was last changed.
    updated_at timestamptz not null default now(),
    constraint webhook_endpoints_pkey primary key (tenant_id, id),
    constraint webhook_endpoints_tenant_fkey foreign key (tenant_id) references tenancy.organizations(id),
    constraint webhook_endpoints_description_length check (length(description) >= 1 and length(description) <= 500),
    constraint webhook_endpoints_disabled_reason check (
        disabled_reason = any (array['admin', 'gone', 'failing', 'maker'])
    ),
    constraint webhook_endpoints_enabled check (
        enabled = (disabled_reason is null) and enabled = (disabled_at is null)
    ),
    constraint webhook_endpoints_generation check (generation >= 1),
    constraint webhook_endpoints_payload check (payload = any (array['full', 'ids'])),
    constraint webhook_endpoints_previous check ((previous_key_id is null) = (previous_valid_until is null)),
    constraint webhook_endpoints_types check (cardinality(types) <= 50),
    constraint webhook_endpoints_url_length check (length(url) >= 1 and length(url) <= 2000)
);

create index webhook_endpoints_created_by_idx on messaging.webhook_endpoints using btree (tenant_id, created_by);
create index webhook_endpoints_updated_idx on messaging.webhook_endpoints using btree (tenant_id, updated_at);

alter table messaging.webhook_endpoints enable row level security, force row level security;

create policy tenant_floor on messaging.webhook_endpoints as restrictive for all to public
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy admin_delete on messaging.webhook_endpoints as permissive for delete to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_insert on messaging.webhook_endpoints as permissive for insert to appointd_api
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_select on messaging.webhook_endpoints as permissive for select to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy admin_update on messaging.webhook_endpoints as permissive for update to appointd_api
    using (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')))
    with check (tenant_id = (select app.tenant()) and (select app.role() = any ('{admin,owner}')));
create policy gate_select on messaging.webhook_endpoints as permissive for select to appointd_gate
    using (tenant_id = (select app.tenant()));
create policy gate_update on messaging.webhook_endpoints as permissive for update to appointd_gate
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy owner_all on messaging.webhook_endpoints as permissive for all to appointd_owner
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));
create policy worker_select on messaging.webhook_endpoints as permissive for select to appointd_worker
    using (tenant_id = (select app.tenant()));
create policy worker_update on messaging.webhook_endpoints as permissive for update to appointd_worker
    using (tenant_id = (select app.tenant()))
    with check (tenant_id = (select app.tenant()));

grant select, delete on messaging.webhook_endpoints to appointd_api;
grant insert (id, url, description, types, payload, key_id) on messaging.webhook_endpoints to appointd_api;
grant update (
    url, description, types, payload, enabled, disabled_reason, disabled_at, failing_since, generation, key_id,
    previous_key_id, previous_valid_until, updated_at
) on messaging.webhook_endpoints to appointd_api;
grant select (tenant_id, id, enabled, failing_since, created_by) on messaging.webhook_endpoints to appointd_gate;
grant update (enabled, disabled_reason, disabled_at, updated_at) on messaging.webhook_endpoints to appointd_gate;
grant select on messaging.webhook_endpoints to appointd_worker;
grant update (
    enabled, disabled_reason, disabled_at, failing_since, updated_at
) on messaging.webhook_endpoints to appointd_worker;

create trigger changer_is_maker before update on messaging.webhook_endpoints
for each row
when (
    new.url <> old.url or new.types <> old.types or new.payload <> old.payload or new.enabled and not old.enabled
) execute function messaging.changer_is_maker();
create trigger keep_updated_at before update of tenant_id, id, url, description, types, payload, enabled,
disabled_reason, disabled_at, failing_since, generation, key_id, previous_key_id, previous_valid_until, created_at,
created_by on messaging.webhook_endpoints
for each row execute function app.keep_updated_at('{}');
create trigger record_change after insert or delete or update on messaging.webhook_endpoints
for each row execute function operations.record_change();
create trigger record_deletion after delete on messaging.webhook_endpoints
for each row execute function operations.record_deletion('webhook_endpoint');
create trigger record_event after insert or delete or update on messaging.webhook_endpoints
for each row execute function messaging.record_endpoint_event();
create trigger verified_only_insert before insert on messaging.webhook_endpoints
for each row execute function app.verified_only();
create trigger verified_only_update before update on messaging.webhook_endpoints
for each row
when (
    new.enabled and (not old.enabled or new.url <> old.url or new.types <> old.types or new.payload <> old.payload)
) execute function app.verified_only();


-- Trigger, after an organization was made: adds its row of messaging.turns.
create function messaging.add_turn()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    -- An imported organization brings its own.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    perform app.set_tenant(new.id);
    insert into messaging.turns (last_position) values (0);
    perform app.set_tenant(entered);
    return null;
end
$$;

alter function messaging.add_turn() owner to appointd_gate;
grant execute on function messaging.add_turn() to appointd_owner;


-- Begins what is done regularly: true for one of all workers that call it for the same tick, and for another one if
-- that has vanished. Too late: notes that it was missed.
create function messaging.begin_tick(name text, tick text, due_at timestamptz, too_late boolean, lease interval)
returns boolean
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    insert into messaging.cron_runs as r (name, tick, due_at, outcome, lease_until, finished_at)
    values (
        begin_tick.name, begin_tick.tick, begin_tick.due_at,
        case when too_late then 'missed' else 'started' end,
        case when not too_late then now() + lease end,
        case when too_late then now() end
    )
    -- Begun by another worker, and by now it would be done.
    on conflict on constraint cron_runs_pkey do update
    set lease_until = excluded.lease_until, started_at = now()
    where r.outcome = 'started' and r.lease_until <= now() and not begin_tick.too_late;
    return found and not too_late;
end
$$;

alter function messaging.begin_tick(text,text,timestamptz,boolean,interval) owner to appointd_gate;
grant execute on function messaging.begin_tick(text,text,timestamptz,boolean,interval) to appointd_worker;


-- The budgets that a mail counts towards: maximum number of mails, and the period in which that many are refilled.
create function messaging.budgets_of(mailbox bytea, organization_id uuid, inviter uuid)
returns table(bucket text, subject bytea, most integer, period interval)
language sql stable
begin atomic select b.bucket, b.subject, b.most, b.period
from (
     values (
        'account_hour',
        case
            when (budgets_of.organization_id is null) then budgets_of.mailbox else null::bytea
        end,6,'01:00:00'::interval
    ),
    (
        'account_day',
        case when (budgets_of.organization_id is null) then budgets_of.mailbox else null::bytea end,12,'1 day'::interval
    ),
    (
        'recipient_hour',
        case
            when (budgets_of.organization_id is not null) then budgets_of.mailbox else null::bytea
        end,6,'01:00:00'::interval
    ),
    (
        'recipient_day',
        case
            when (budgets_of.organization_id is not null) then budgets_of.mailbox else null::bytea
        end,20,'1 day'::interval
    ),
    ('inviter_hour',sha256(convert_to((budgets_of.inviter)::text, 'UTF8'::name)),60,'01:00:00'::interval),
    ('organization_hour',sha256(convert_to((budgets_of.organization_id)::text, 'UTF8'::name)),300,'01:00:00'::interval),
    ('organization_day',sha256(convert_to((budgets_of.organization_id)::text, 'UTF8'::name)),2000,'1 day'::interval)
) b(bucket, subject, most, period)
where (b.subject is not null); end;

alter function messaging.budgets_of(bytea,uuid,uuid) owner to appointd_gate;


-- Trigger, before an endpoint is enabled or gets another URL, other types or another payload: the actor becomes its
-- maker.
create function messaging.changer_is_maker()
returns trigger
language plpgsql
as $$
begin
    new.created_by := coalesce(
        app.account(),
        app.api_key(),
        old.created_by
    );
    return new;
end
$$;


-- What the columns that differ held before, without updated_at; null: none differs.
create function messaging.changes(was jsonb, becomes jsonb)
returns jsonb
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select jsonb_object_agg(o.key, o.value)
        from jsonb_each(was) as o
        where o.key <> 'updated_at' and o.value is distinct from becomes -> o.key
    );
end
$$;

alter function messaging.changes(jsonb,jsonb) owner to appointd_gate;


-- Writes an event, in the transaction that causes it. For triggers that run as the gate: the type, the lowest role that
-- may read it, the organization, the id of the object, the object, and what the changed columns held before. No other
-- role may call it: a role that can write an event can forge one.
create function messaging.emit(event_type text, lowest text, owning uuid, subject uuid, whole jsonb, previous jsonb)
returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
begin
    -- Only the owner, while it imports or deletes a tenant.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return;
    end if;
    -- A function of the gate, or a superuser, changes rows without entering the tenant.
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    insert into messaging.outbox (actor_kind, type, subject_id, lowest_role, data, previous)
    values (
        case
            when app.account() is not null then 'account'
            when app.api_key() is not null then 'api_key'
            when app.role() = 'guest' then 'guest'
            else 'system'
        end,
        event_type, subject, lowest, whole, previous
    );
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
end
$$;

alter function messaging.emit(text,text,uuid,uuid,jsonb,jsonb) owner to appointd_gate;


-- Disables the webhook endpoints that an account or an API key made in the organization in the context, cancels what is
-- due to them, and has the admins told.
create function messaging.end_endpoints(tenant uuid, maker uuid)
returns void
language plpgsql
as $$
begin
    -- The deliveries first: they and endpoints are locked in this order by the worker as well.
    update messaging.webhook_deliveries as d
    set state = case d.state when 'pending' then 'cancelled' else d.state end, next_at = null
    from messaging.webhook_endpoints as w
    where
        w.tenant_id = tenant
        and w.created_by = maker
        and w.enabled
        and d.tenant_id = tenant
        and d.endpoint_id = w.id
        and d.next_at is not null;
    with disabled as (
        update messaging.webhook_endpoints as w
        set enabled = false, disabled_reason = 'maker', disabled_at = now(), updated_at = now()
        where w.tenant_id = tenant and w.created_by = maker and w.enabled
        returning w.id
    )
    insert into messaging.jobs (kind, lane, key, payload, max_attempts)
    select 'messaging.tell_disabled', 'live', d.id::text, jsonb_build_object('endpoint_id', d.id), 12
    from disabled as d
    on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do nothing;
end
$$;

alter function messaging.end_endpoints(uuid,uuid) owner to appointd_gate;


-- Ends what messaging.begin_tick began, and deletes rows of the same name that are older than `kept`.
create function messaging.end_tick(name text, tick text, failed boolean, kept interval)
returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    update messaging.cron_runs as r
    set outcome = case when failed then 'failed' else 'done' end, lease_until = null, finished_at = now()
    where r.name = end_tick.name and r.tick = end_tick.tick and r.outcome = 'started';
    delete from messaging.cron_runs as r
    where r.name = end_tick.name and r.due_at < now() - kept and r.outcome <> 'started';
end
$$;

alter function messaging.end_tick(text,text,boolean,interval) owner to appointd_gate;
grant execute on function messaging.end_tick(text,text,boolean,interval) to appointd_worker;


-- Whether the maker of a webhook endpoint of the organization that the worker has entered may make endpoints now: not
-- while they are suspended, and not after their API key has expired.
create function messaging.maker_stands(maker uuid)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return coalesce(tenancy.standing(maker) = any (app.roles_from('admin')), false);
end
$$;

alter function messaging.maker_stands(uuid) owner to appointd_gate;
grant execute on function messaging.maker_stands(uuid) to appointd_worker;


-- The name of the organization that the worker has entered.
create function messaging.organization_name()
returns text
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return (
        select o.name
        from tenancy.organizations as o
        where o.id = (select app.tenant())
    );
end
$$;

alter function messaging.organization_name() owner to appointd_gate;
grant execute on function messaging.organization_name() to appointd_worker;


-- Whether the plan of the organization that the worker has entered includes a feature.
create function messaging.plan_has(feature text)
returns boolean
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    return app.has_feature(app.tenant(), feature);
end
$$;

alter function messaging.plan_has(text) owner to appointd_gate;
grant execute on function messaging.plan_has(text) to appointd_worker;


-- Makes changes of a tenant table events: kind.created, kind.updated and kind.deleted. lowest: the lowest role that may
-- read them, as `reads` of app.build_wall. leaves_out: columns with secrets, and those that no reader needs. events:
-- the commands, if not all three. A table whose changes have other names gets a trigger of its own, which calls
-- messaging.emit.
create procedure messaging.publish(
    in relation regclass, in kind text, in lowest text default 'viewer', in leaves_out text[] default '{}',
    in events text default null::text
)
language plpgsql
as $$
begin
    execute format(
        'create trigger record_event after %s on %s for each row '
        'execute function messaging.record_event(%L, %L, %L)',
        coalesce(events, 'insert or update or delete'), relation, kind, lowest, leaves_out
    );
end
$$;


-- Trigger, after an endpoint was created, changed or deleted: writes the event webhook_endpoint.created, updated,
-- disabled or deleted. Whether it is failing, and its secret, are left out.
create function messaging.record_endpoint_event()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    unsaid constant text[] := array[
        'tenant_id', 'failing_since', 'generation', 'key_id', 'previous_key_id', 'previous_valid_until'
    ];
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
begin
    if tg_op = 'UPDATE' and was - 'updated_at' = becomes - 'updated_at' then
        return null;
    end if;
    perform messaging.emit(
        'webhook_endpoint.' || case
            when tg_op = 'INSERT' then 'created'
            when tg_op = 'DELETE' then 'deleted'
            when old.enabled and not new.enabled then 'disabled'
            else 'updated'
        end,
        'admin', coalesce(new.tenant_id, old.tenant_id), coalesce(new.id, old.id), coalesce(becomes, was),
        case when tg_op = 'UPDATE' then messaging.changes(was, becomes) end
    );
    return null;
end
$$;

alter function messaging.record_endpoint_event() owner to appointd_gate;
grant execute on function messaging.record_endpoint_event() to appointd_owner;


-- Trigger, after every change of a row: writes the event created, updated or deleted. An update that changes no column
-- but those that are left out writes none. Arguments: the kind of the object, the lowest role that may read its events,
-- and columns to leave out.
create function messaging.record_event()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    subject_kind constant text := tg_argv[0];
    -- Follow from other columns, or say only how often a name changed.
    unsaid constant text[] := array[
        'tenant_id', 'name_key', 'last_name_key', 'phone_digits', 'renames', 'renamed_at'
    ] || tg_argv[2]::text[];
    -- Null before an insert, and after a delete.
    was constant jsonb := to_jsonb(old) - unsaid;
    becomes constant jsonb := to_jsonb(new) - unsaid;
    whole constant jsonb := coalesce(to_jsonb(new), to_jsonb(old));
begin
    if tg_op = 'UPDATE' and was = becomes then
        return null;
    end if;
    perform messaging.emit(
        format(
            '%s.%s',
            subject_kind,
            case tg_op when 'INSERT' then 'created' when 'UPDATE' then 'updated' else 'deleted' end
        ),
        tg_argv[1],
        -- For the organization itself: its id.
        coalesce(whole ->> 'tenant_id', whole ->> 'id')::uuid,
        coalesce(
            whole ->> 'id', whole ->> 'account_id', whole ->> 'provider_id', whole ->> 'tenant_id'
        )::uuid,
        coalesce(becomes, was),
        case when tg_op = 'UPDATE' then messaging.changes(was, becomes) end
    );
    return null;
end
$$;

alter function messaging.record_event() owner to appointd_gate;
grant execute on function messaging.record_event() to appointd_owner;


-- Counts a mail to an address towards each of its budgets: sent for an organization (and an inviter), or without one
-- about the account of the person. refused null: the mail may be sent. Otherwise refused is the budget that is spent,
-- and retry_after the seconds until it has room again; `unverified`: no owner of the organization has a verified
-- address, so it sends no mail.
create function messaging.spend(
    recipient text, organization_id uuid, inviter uuid, out refused text, out retry_after integer
)
returns record
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    entered constant uuid := app.tenant();
    address constant text := lower(recipient);
    -- With most providers an address with a plus sign and a suffix leads to the same mailbox.
    mailbox constant bytea := sha256(convert_to(regexp_replace(address, '^([^@+]+)\+[^@]*@', '\1@'), 'UTF8'));
    budget record;
    has_owner boolean;
begin
    if app.role() is not null and organization_id is distinct from entered then
        raise exception 'this transaction has entered another tenant'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
    if organization_id is not null then
        perform app.set_tenant(organization_id);
        has_owner := exists (
            select
            from tenancy.members as m
            join identity.accounts as a on a.id = m.account_id
            where
                m.tenant_id = organization_id
                and m.role = 'owner'
                and m.status = 'active'
                and a.email_verified_at is not null
        );
        perform app.set_tenant(entered);
        if not has_owner then
            refused := 'unverified';
            retry_after := 0;
            return;
        end if;
    end if;
    insert into messaging.mail_budgets (bucket, subject)
    select b.bucket, b.subject
    from messaging.budgets_of(mailbox, organization_id, inviter) as b
    order by b.bucket, b.subject
    on conflict on constraint mail_budgets_pkey do nothing;
    retry_after := 0;
    -- All budgets are locked in one order; the mail is counted if all have room, and not at all otherwise.
    for budget in
        select
            b.bucket, b.most, b.period,
            greatest(
                0, m.spent - extract(epoch from now() - m.counted_at) * b.most / extract(epoch from b.period)
            ) as spent
        from messaging.mail_budgets as m
        join messaging.budgets_of(mailbox, organization_id, inviter) as b
            on b.bucket = m.bucket and b.subject = m.subject
        order by m.bucket, m.subject
        for update of m
    loop
        if budget.spent + 1 > budget.most then
            refused := coalesce(refused, budget.bucket);
            retry_after := greatest(
                retry_after,
                ceil((budget.spent + 1 - budget.most) * extract(epoch from budget.period) / budget.most)::integer
            );
        end if;
    end loop;
    if refused is not null then
        return;
    end if;
    update messaging.mail_budgets as m
    set
        spent = 1 + greatest(
            0, m.spent - extract(epoch from now() - m.counted_at) * b.most / extract(epoch from b.period)
        ),
        counted_at = now()
    from messaging.budgets_of(mailbox, organization_id, inviter) as b
    where m.bucket = b.bucket and m.subject = b.subject;
    if organization_id is not null then
        perform tenancy.count_message(organization_id, 'email', false);
    end if;
end
$$;

alter function messaging.spend(text,uuid,uuid) owner to appointd_gate;
grant execute on function messaging.spend(text,uuid,uuid) to appointd_api;
grant execute on function messaging.spend(text,uuid,uuid) to appointd_worker;


-- The active organizations after the given one, in the order of their ids, that have events to publish; at most so
-- many. For the worker, before it enters one of them.
create function messaging.tenants_to_publish(after_tenant uuid, most integer)
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    last uuid := coalesce(after_tenant, '00000000-0000-0000-0000-000000000000');
    listed integer := 0;
begin
    perform app.stay_outside();
    while listed < most loop
        select o.tenant_id into last
        from messaging.outbox as o
        where o.tenant_id > last
        order by o.tenant_id
        limit 1;
        exit when last is null;
        if exists (select from tenancy.organizations as t where t.id = last and t.status = 'active') then
            listed := listed + 1;
            return next last;
        end if;
    end loop;
end
$$;

alter function messaging.tenants_to_publish(uuid,integer) owner to appointd_gate;
grant execute on function messaging.tenants_to_publish(uuid,integer) to appointd_worker;


-- Active organizations with scheduled jobs that are due, or with jobs whose worker has vanished; at most so many.
create function messaging.tenants_to_wake(most integer)
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select w.tenant_id
    from (
        (
            select j.tenant_id
            from messaging.jobs as j
            where j.state = 'scheduled' and j.run_at <= statement_timestamp()
            order by j.run_at
            limit 10000
        )
        union
        (
            select j.tenant_id
            from messaging.jobs as j
            where j.state = 'running' and j.lease_until <= statement_timestamp()
            order by j.lease_until
            limit 10000
        )
    ) as w
    join tenancy.organizations as t on t.id = w.tenant_id and t.status = 'active'
    limit coalesce(most, 0);
end
$$;

alter function messaging.tenants_to_wake(integer) owner to appointd_gate;
grant execute on function messaging.tenants_to_wake(integer) to appointd_worker;


-- The active organizations after the given one, in the order of their ids, that have a job of the lane that is ready;
-- at most so many.
create function messaging.tenants_with_jobs(lane text, after_tenant uuid, most integer)
returns setof uuid
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    last uuid := coalesce(after_tenant, '00000000-0000-0000-0000-000000000000');
    listed integer := 0;
begin
    perform app.stay_outside();
    while listed < most loop
        -- One probe of the index for each organization, however many jobs it has.
        select j.tenant_id into last
        from messaging.jobs as j
        where j.state = 'ready' and j.tenant_id > last and j.lane = tenants_with_jobs.lane
        order by j.tenant_id
        limit 1;
        exit when last is null;
        if exists (select from tenancy.organizations as t where t.id = last and t.status = 'active') then
            listed := listed + 1;
            return next last;
        end if;
    end loop;
end
$$;

alter function messaging.tenants_with_jobs(text,uuid,integer) owner to appointd_gate;
grant execute on function messaging.tenants_with_jobs(text,uuid,integer) to appointd_worker;


-- Trigger, after a delivery became due: adds the job that sends what is due to its endpoint, or wakes it. One whose
-- endpoint fails rests: an event does not wake it.
create function messaging.wake_endpoint()
returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    owning constant uuid := new.tenant_id;
    entered constant uuid := app.tenant();
    due timestamptz := now();
begin
    -- Only the owner, while it imports or deletes a tenant.
    if session_user = 'appointd_owner' and current_setting('app.restoring', true) = 'on' then
        return null;
    end if;
    if owning is distinct from entered then
        perform app.set_tenant(owning);
    end if;
    -- An endpoint that fails rests while events come; only a request does not wait. The bounds are those of the
    -- handler.
    if session_user = 'appointd_worker' then
        select now() + least(greatest((now() - w.failing_since) / 10, interval '5 s'), interval '300 s')
        into due
        from messaging.webhook_endpoints as w
        where w.tenant_id = new.tenant_id and w.id = new.endpoint_id and w.failing_since is not null;
        due := coalesce(due, now());
    end if;
    -- The row of the job is locked in any case: it does not end before this transaction, and then sees the delivery.
    insert into messaging.jobs as j (kind, lane, key, payload, max_attempts)
    values (
        'messaging.deliver', 'live', new.endpoint_id::text, jsonb_build_object('endpoint_id', new.endpoint_id), 100
    )
    on conflict (tenant_id, kind, key) where key is not null and state <> 'dead' do update
    set
        state = case when due > now() then j.state else 'ready' end,
        run_at = least(j.run_at, due),
        updated_at = now()
    where j.state = 'scheduled';
    if owning is distinct from entered then
        perform app.set_tenant(entered);
    end if;
    return null;
end
$$;

alter function messaging.wake_endpoint() owner to appointd_gate;
grant execute on function messaging.wake_endpoint() to appointd_owner;


-- Whether any organization has events to publish, jobs that are ready (by lane), and jobs to wake: what an idle worker
-- asks, in one statement.
create function messaging.work_due(out publish boolean, out live boolean, out bulk boolean, out wake boolean)
returns record
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    publish := exists (select from messaging.outbox as o);
    live := exists (select from messaging.jobs as j where j.state = 'ready' and j.lane = 'live');
    bulk := exists (select from messaging.jobs as j where j.state = 'ready' and j.lane = 'bulk');
    wake := exists (
        select from messaging.jobs as j where j.state = 'scheduled' and j.run_at <= statement_timestamp()
    )
    or exists (
        select from messaging.jobs as j where j.state = 'running' and j.lease_until <= statement_timestamp()
    );
end
$$;

alter function messaging.work_due() owner to appointd_gate;
grant execute on function messaging.work_due() to appointd_worker;


-- The number of jobs of all organizations together, by kind and state, and since when the oldest is due; in the last
-- row, events that are not published. For the metrics of the operator.
create function messaging.work_waiting()
returns table(kind text, state text, jobs bigint, oldest_at timestamptz)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    perform app.stay_outside();
    return query
    select j.kind, j.state, count(*), min(j.run_at)
    from messaging.jobs as j
    group by j.kind, j.state
    union all
    select 'outbox', 'ready', count(*), min(o.occurred_at)
    from messaging.outbox as o;
end
$$;

alter function messaging.work_waiting() owner to appointd_gate;
grant execute on function messaging.work_waiting() to appointd_worker;
