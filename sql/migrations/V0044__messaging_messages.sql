-- Messages to people: who is told what, by which channel, and what became of it. The publisher adds a message in the
-- transaction that publishes the event it is about, together with the job that sends it: none is lost, and the key of
-- event, recipient and channel keeps a second one away. Address, language and text are found when it is sent, so that
-- no text waits in the database, and a link is made only then.
--
-- A message is `sending` before the first byte leaves. A worker that finds it so does not know whether the mail server
-- took it: it sends once more, with the same Message-ID, and then never again.

create table messaging.messages (
    tenant_id uuid not null default app.tenant(),
    id uuid not null default gen_random_uuid(),
    event_id uuid not null,
    event text not null,
    subject_id uuid not null,
    sequence integer not null,
    recipient text not null,
    recipient_id uuid not null,
    channel text not null,
    state text not null default 'queued',
    reason text,
    attempts smallint not null default 0,
    doubts smallint not null default 0,
    address text,
    language text,
    title text,
    about_at timestamptz,
    ahead_minutes integer,
    due_at timestamptz,
    occurred_at timestamptz not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    sent_at timestamptz,
    constraint messages_pkey primary key (tenant_id, id),
    constraint messages_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint messages_event_length check (length(event) between 1 and 100),
    constraint messages_recipient check (recipient in ('contact', 'member')),
    constraint messages_channel check (channel in ('email')),
    constraint messages_state check (state in ('queued', 'sending', 'sent', 'unknown', 'failed', 'skipped')),
    constraint messages_reason_length check (length(reason) between 1 and 50),
    constraint messages_reason check ((state in ('failed', 'skipped')) = (reason is not null)),
    constraint messages_attempts check (attempts >= 0 and doubts between 0 and attempts),
    constraint messages_address_length check (length(address) <= 254),
    constraint messages_title_length check (length(title) <= 200),
    constraint messages_sent check ((state = 'sent') = (sent_at is not null)),
    constraint messages_timed check (num_nonnulls(about_at, ahead_minutes, due_at) in (0, 3)),
    constraint messages_ahead check (ahead_minutes >= 0)
)
with (fillfactor = 80);

comment on table messaging.messages is
    'What people are told about events. Kept for as long as the organization keeps data about people '
    '(tenancy.settings.data_retention_days).';
comment on column messaging.messages.id is 'Random, made by the database: the Message-ID of an e-mail contains it.';
comment on column messaging.messages.event_id is 'The event that it is about, or because of which it was planned.';
comment on column messaging.messages.event is
    'The type of the event, or what is planned: appointment.reminder, appointment.thanks.';
comment on column messaging.messages.subject_id is 'The object of the event.';
comment on column messaging.messages.sequence is
    'The revision of the object after the event. If it has changed again when the message is due, the message is '
    'skipped: the later event has one of its own.';
comment on column messaging.messages.recipient is 'contact, or member (who works for the organization).';
comment on column messaging.messages.recipient_id is 'The contact, or the account of the member.';
comment on column messaging.messages.channel is 'email.';
comment on column messaging.messages.state is
    'queued; sending (a worker talks to the mail server, or vanished while it did); sent (the mail server took it); '
    'unknown (the connection broke before the mail server answered, twice); failed; skipped.';
comment on column messaging.messages.reason is
    'Why it failed: refused (by the mail server), gave_up. Why it was skipped: stale, past, no_address, no_channel, '
    'switched_off, opted_out, unverified, over_budget, template. Null otherwise.';
comment on column messaging.messages.attempts is 'How often it was begun to be sent.';
comment on column messaging.messages.doubts is
    'How often it is unknown whether it was sent. After two, of a planned message after one, it is not sent again.';
comment on column messaging.messages.address is 'Where it went; null: not sent yet.';
comment on column messaging.messages.language is 'The language of its text; null: not sent yet.';
comment on column messaging.messages.title is 'The subject of the e-mail; null: not sent yet.';
comment on column messaging.messages.about_at is
    'Of a planned message: the start of the appointment that it was planned for. Null: it is sent at once.';
comment on column messaging.messages.ahead_minutes is
    'Of a reminder: how many minutes before the start. Of thanks: 0. Null: it is sent at once.';
comment on column messaging.messages.due_at is 'When a planned message is to be sent. Null: at once.';
comment on column messaging.messages.occurred_at is 'When the event happened.';
comment on column messaging.messages.created_at is 'When the event was published.';
comment on column messaging.messages.updated_at is 'When the state last changed.';
comment on column messaging.messages.sent_at is 'When the mail server took it; null: it did not.';

create unique index messages_once on messaging.messages (tenant_id, event_id, recipient_id, channel)
where about_at is null;
create unique index messages_timed_once on messaging.messages (
    tenant_id, subject_id, event, about_at, ahead_minutes, recipient_id, channel
)
where about_at is not null;

comment on index messaging.messages_once is 'A recipient is told once of an event by each channel.';
comment on index messaging.messages_timed_once is
    'A contact gets one reminder of an appointment for each number of minutes before its start, and is thanked once, '
    'however often the appointment is moved away and back.';

create index messages_created_idx on messaging.messages (tenant_id, created_at, id);
create index messages_subject_idx on messaging.messages (tenant_id, subject_id, created_at);
create index messages_recipient_idx on messaging.messages (tenant_id, recipient_id, created_at);

call app.build_wall('messaging.messages', reads => 'staff');
call app.admit('messaging.messages', 'appointd_worker', array['select', 'insert', 'update', 'delete']);
call app.admit('messaging.messages', 'appointd_owner', array['all']);

grant select on messaging.messages to appointd_api;
grant
    select,
    insert (
        event_id, event, subject_id, sequence, recipient, recipient_id, channel, about_at, ahead_minutes, due_at,
        occurred_at
    ),
    update (state, reason, attempts, doubts, address, language, title, due_at, updated_at, sent_at),
    delete
on messaging.messages to appointd_worker;


create table messaging.templates (
    tenant_id uuid not null default app.tenant(),
    id uuid not null,
    event text not null,
    recipient text not null,
    language text not null,
    subject text not null,
    body text not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint templates_pkey primary key (tenant_id, id),
    constraint templates_tenant_fkey foreign key (tenant_id) references tenancy.organizations (id),
    constraint templates_key unique (tenant_id, event, recipient, language),
    constraint templates_event_length check (length(event) between 1 and 100),
    constraint templates_recipient check (recipient in ('contact', 'member')),
    constraint templates_language_form check (language ~ '^[a-z]{2,3}$'),
    constraint templates_subject_length check (length(subject) between 1 and 200),
    constraint templates_body_length check (length(body) between 1 and 5000)
);

comment on table messaging.templates is
    'Texts of an organization that replace the default texts of messages, by event, recipient and language.';
comment on column messaging.templates.id is 'UUIDv7, made by the server.';
comment on column messaging.templates.event is 'The type of the events.';
comment on column messaging.templates.recipient is 'contact, or member (who works for the organization).';
comment on column messaging.templates.language is 'The language, as the first part of a BCP 47 tag.';
comment on column messaging.templates.subject is 'The template of the subject, at most 200 characters.';
comment on column messaging.templates.body is 'The template of the text, at most 5,000 characters.';
comment on column messaging.templates.created_at is 'When it was created.';
comment on column messaging.templates.updated_at is 'When it last changed.';

call app.build_wall(
    'messaging.templates', reads => 'manager', inserts => 'admin', updates => 'admin', deletes => 'admin'
);
call app.admit('messaging.templates', 'appointd_worker', array['select']);
call app.admit('messaging.templates', 'appointd_owner', array['all']);
call operations.audit('messaging.templates');
call app.date_changes('messaging.templates');

grant
    select,
    insert (id, event, recipient, language, subject, body),
    update (subject, body, updated_at),
    delete
on messaging.templates to appointd_api;
grant select (tenant_id, event, recipient, language, subject, body) on messaging.templates to appointd_worker;


-- What a message says of its organization.
alter table tenancy.branding
add column address text,
add constraint branding_address_length check (length(address) between 1 and 500);

comment on column tenancy.branding.address is
    'Postal address shown to customers, in lines, at most 500 characters; null: none is shown.';

grant update (address) on tenancy.branding to appointd_api;

comment on table tenancy.settings is
    'Settings of an organization, one row each. The time zone is in tenancy.organizations. Language and formats are '
    'those of messages to people and of pages; notify_by_email and data_retention_days are those of messages; '
    'notify_by_sms, notify_by_push and gdpr_compliant are stored for clients.';
comment on column tenancy.settings.notify_by_email is 'Whether customers get e-mails about their appointments.';

-- Who is told: the person behind a provider, and contacts only if the organization notifies them by e-mail.
grant select (account_id) on scheduling.providers to appointd_worker;
call app.admit('tenancy.settings', 'appointd_worker', array['select']);
grant select (
    tenant_id, language, date_format, time_format, notify_by_email, data_retention_days, reminder_minutes,
    thanks_after_minutes, review_url
)
on tenancy.settings to appointd_worker;
grant select (reminder_minutes) on scheduling.services to appointd_worker;
call app.admit('tenancy.branding', 'appointd_worker', array['select']);
grant select (tenant_id, display_name, logo_url, primary_color, address) on tenancy.branding to appointd_worker;
grant select (name, time_zone) on tenancy.organizations to appointd_worker;

create function tenancy.voice(organization uuid)
returns table (
    name text, address text, logo_url text, color text, language text, date_format text, time_format text,
    time_zone text
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
    return query
    select
        coalesce(b.display_name, o.name), b.address, b.logo_url, b.primary_color, s.language, s.date_format,
        s.time_format, o.time_zone
    from tenancy.organizations as o
    join tenancy.branding as b on b.tenant_id = o.id
    join tenancy.settings as s on s.tenant_id = o.id
    where o.id = organization;
end
$$;

comment on function tenancy.voice(uuid) is
    'How an organization speaks to people: its name and looks, its language, formats and time zone. Under the policies '
    'of the caller.';

grant execute on function tenancy.voice(uuid) to appointd_api, appointd_worker;

-- Gate ----------------------------------------------------------------------------------------------------------------

grant select (cancellation_reason, series_id) on scheduling.appointments to appointd_gate;
call app.admit('scheduling.series', 'appointd_gate', array['select']);
grant select (tenant_id, id, occurrences) on scheduling.series to appointd_gate;

-- A function's owner must be able to create in its schema; the gate may only while this migration runs.
grant create on schema scheduling to appointd_gate;
set local role appointd_gate;

create function scheduling.appointment_notice(appointment uuid, account uuid)
returns table (
    id uuid, starts_at timestamptz, ends_at timestamptz, status text, revision integer, entry_sequence integer,
    created_at timestamptz, entry_updated_at timestamptz, service_name text, provider_name text, contact_name text,
    segments jsonb, requires_approval boolean, cancellation_notice_minutes integer, cancellation_reason text,
    occurrences smallint, time_zone text, contact_email text, is_provider boolean, member_name text, member_email text,
    proof bytea, contact_id uuid, service_id uuid, wants_reminders boolean, reminders_proof bytea,
    wants_thanks boolean, thanks_proof bytea
)
language plpgsql stable security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    tenant constant uuid := app.tenant();
begin
    if app.role() is distinct from 'worker' then
        raise exception 'the worker has not entered' using errcode = 'object_not_in_prerequisite_state';
    end if;
    return query
    select
        e.id, e.starts_at, e.ends_at, e.status, a.sequence, e.sequence, e.created_at, e.updated_at, e.service_name,
        e.provider_name, e.contact_name, e.segments, e.requires_approval, e.cancellation_notice_minutes,
        a.cancellation_reason, s.occurrences, o.time_zone, c.email,
        coalesce(p.account_id = appointment_notice.account, false), m.full_name, m.email,
        case when appointment_notice.account is null then app.proof('guest', tenant, a.id) end, a.contact_id,
        a.service_id, coalesce(w.reminders, true), crm.unsubscribe_proof(tenant, a.contact_id, 'reminders'),
        coalesce(w.thanks, true), crm.unsubscribe_proof(tenant, a.contact_id, 'thanks')
    from scheduling.appointments as a
    cross join lateral scheduling.entries(tenant, array[a.id]) as e
    join tenancy.organizations as o on o.id = a.tenant_id
    join crm.contacts as c on c.tenant_id = a.tenant_id and c.id = a.contact_id
    join scheduling.providers as p on p.tenant_id = a.tenant_id and p.id = a.provider_id
    left join scheduling.series as s on s.tenant_id = a.tenant_id and s.id = a.series_id
    left join crm.message_preferences as w on w.tenant_id = a.tenant_id and w.contact_id = a.contact_id
    left join lateral (
        select i.full_name, i.email
        from tenancy.members as w
        join identity.accounts as i on i.id = w.account_id
        where
            w.tenant_id = a.tenant_id and w.account_id = appointment_notice.account
            and w.role <> 'customer' and w.status = 'active' and i.email_verified_at is not null
    ) as m on true
    where a.tenant_id = tenant and a.id = appointment;
end
$$;

comment on function scheduling.appointment_notice(uuid, uuid) is
    'What a message about an appointment of the entered organization says, for the worker; and the name and verified '
    'address of an account, if it is that of an active member who works there. Without an account, the proof for the '
    'link of the customer. Names functions and tables of later files.';

grant execute on function scheduling.appointment_notice(uuid, uuid), messaging.spend(text, uuid, uuid)
to appointd_worker;
reset role;
revoke create on schema scheduling from appointd_gate;
